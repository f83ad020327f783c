-- Median days from the first touch to the conversion, and the change to the period before. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time,
    quantileIf(0.5)(dateDiff('second', first_touch_at, converted_at) / 86400, touches > 0) AS days
FROM journeys_in(
        run_id = ${run:sqlstring},
        start = earlier_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
      AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
GROUP BY time
ORDER BY time
