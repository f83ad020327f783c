-- How far the models are apart about a channel: its largest share of revenue under any model minus its smallest. Disagreement is the signal: here the choice of a model decides budgets, and an experiment is worth its cost.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT channel, max(share) - min(share) AS spread
FROM
(
    SELECT channel, model, toFloat64(micros) / nullIf(toFloat64(sum(micros) OVER (PARTITION BY model)), 0) AS share
    FROM
    (
        -- a channel that a model gives nothing has a row as well
        SELECT channel, model, sum(value_micros) AS micros
        FROM credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
        GROUP BY channel, model
    )
)
GROUP BY channel
ORDER BY spread DESC, channel
LIMIT 12
