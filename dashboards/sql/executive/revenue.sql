-- Revenue that the model gives to the chosen channels, and the change to the period of equal length before. Whole days in UTC, today as far as it has come.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT time, toFloat64(sum(value_micros)) / 1e6 AS revenue
FROM
(
    SELECT toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time, value_micros
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
