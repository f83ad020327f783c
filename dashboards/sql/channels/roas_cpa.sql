-- One point for each channel with spend: cost per conversion to the right, return on spend upwards, size by spend. Up and left is better.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    channel,
    toFloat64(sum(s)) / 1e6 / nullIf(sum(c), 0) AS cpa,
    toFloat64(sum(v)) / nullIf(toFloat64(sum(s)), 0) AS roas,
    toFloat64(sum(s)) / 1e6 AS spend
FROM
(
    SELECT channel, value_micros AS v, toInt256(0) AS s, conversions AS c
    FROM credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)

    UNION ALL

    SELECT channel, toInt256(0), spend_micros, 0.
    FROM spend_in(
        start = first_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY channel
HAVING sum(s) > 0 AND sum(c) > 0
ORDER BY channel
