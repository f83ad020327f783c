-- Revenue of each day, and of the day as many days before as the period is long.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    toDateTime(if(day < first_day, day + (last_day - first_day + 1), day), 'UTC') AS time,
    toFloat64(ifNull(sumIf(value_micros, day >= first_day), 0)) / 1e6 AS "This period",
    toFloat64(ifNull(sumIf(value_micros, day < first_day), 0)) / 1e6 AS "Period before"
FROM
(
    SELECT day, value_micros
    FROM credits_in(
        run_id = ${run:sqlstring},
        start = earlier_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY time
ORDER BY time
