-- What part of all revenue a channel brings, and what part of all spend it takes. Where the second bar is longer, money is lost.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    channel,
    toFloat64(sum(v)) / nullIf(toFloat64(sum(sum(v)) OVER ()), 0) AS "Share of revenue",
    toFloat64(sum(s)) / nullIf(toFloat64(sum(sum(s)) OVER ()), 0) AS "Share of spend"
FROM
(
    SELECT channel, value_micros AS v, toInt256(0) AS s
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

    SELECT channel, toInt256(0), spend_micros
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
ORDER BY "Share of spend" DESC, "Share of revenue" DESC, channel
LIMIT 12
