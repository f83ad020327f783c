-- Share of conversions whose touches are of two channels or more: only about these can models disagree. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time,
    countIf(length(arrayDistinct(channels)) > 1) / count() AS multi_channel
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
