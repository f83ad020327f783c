-- Revenue for each unit of spend, over all chosen channels: the ratio of the sums. Empty where nothing was spent.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time,
    toFloat64(sum(value_micros)) / nullIf(toFloat64(sum(spend_micros)), 0) AS roas
FROM
(
    SELECT day, value_micros, toInt256(0) AS spend_micros, conversions
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

    UNION ALL

    SELECT day, toInt256(0), spend_micros, 0.
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
