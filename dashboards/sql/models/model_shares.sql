-- Share of revenue that each model gives to a channel. Read a row: where it is of one colour the models agree.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT channel, model, toFloat64(micros) / nullIf(toFloat64(sum(micros) OVER (PARTITION BY model)), 0) AS share
FROM
(
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
ORDER BY sum(micros) OVER (PARTITION BY channel) DESC, channel, model
