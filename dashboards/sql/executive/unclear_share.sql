-- Shares of revenue that say little: Direct, Unassigned (no channel rule matched), and what no touch could claim.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    toDateTime(day, 'UTC') AS time,
    toFloat64(ifNull(sumIf(value_micros, lower(channel) IN ('direct', '(direct)')), 0)) / nullIf(toFloat64(sum(value_micros)), 0) AS "Direct",
    toFloat64(ifNull(sumIf(value_micros, lower(channel) IN ('unassigned', '(other)')), 0)) / nullIf(toFloat64(sum(value_micros)), 0) AS "Unassigned",
    toFloat64(ifNull(sumIf(value_micros, channel = 'unattributed'), 0)) / nullIf(toFloat64(sum(value_micros)), 0) AS "Unattributed"
FROM
(
    SELECT day, channel, value_micros
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
)
GROUP BY time
ORDER BY time
