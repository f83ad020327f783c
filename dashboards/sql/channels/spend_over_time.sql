-- Spend by day and channel.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT toDateTime(day, 'UTC') AS time, channel, toFloat64(sum(spend_micros)) / 1e6 AS spend
FROM
(
    SELECT day, channel, spend_micros
    FROM spend_in(
        start = first_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY time, channel
ORDER BY time, channel
