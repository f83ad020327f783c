-- Conversions by the number of their touches; 0: no touch could claim them. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT if(length = 12, '12+', toString(length)) AS touches, conversions
FROM
(
    SELECT least(touches, 12) AS length, count() AS conversions
    FROM journeys_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
      AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
    GROUP BY length
)
ORDER BY length
