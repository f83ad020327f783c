-- Days, channels and currencies of the period whose amounts are in no sum, because there is no exchange rate at most seven days old. `attribution fx import` brings rates.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT count() AS left_out
FROM
(
    SELECT DISTINCT day, channel, currency
    FROM credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = [],
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE NOT is_usable

    UNION DISTINCT

    SELECT DISTINCT day, channel, currency
    FROM spend_in(
        start = first_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE NOT is_usable
)
