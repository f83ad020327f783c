-- What the chosen channels cost.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT time, toFloat64(sum(spend_micros)) / 1e6 AS spend
FROM
(
    SELECT toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time, spend_micros
    FROM spend_in(
        start = earlier_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY time
ORDER BY time
