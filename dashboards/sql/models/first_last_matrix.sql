-- Conversions by the channel of their first touch (rows) and of their last (columns). The diagonal needs no model. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT channels[1] AS first_touch, channels[-1] AS last_touch, count() AS conversions
FROM journeys_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
      AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
      AND touches > 0
GROUP BY first_touch, last_touch
ORDER BY first_touch, last_touch
