-- Conversions credited to the chosen channels: a conversion is one, divided among its touches.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT time, sum(conversions) AS conversions
FROM
(
    SELECT toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time, conversions
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
