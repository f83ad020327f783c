-- Conversions by the time from their first touch. Reads the journeys.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    ['< 1 hour', '< 1 day', '1–3 days', '3–7 days', '1–2 weeks', '2–4 weeks', '1–2 months', 'longer'][place] AS lag,
    conversions
FROM
(
    SELECT
        1 + arrayCount(bound -> seconds >= bound, [3600, 86400, 259200, 604800, 1209600, 2419200, 5184000]) AS place,
        count() AS conversions
    FROM
    (
        SELECT dateDiff('second', first_touch_at, converted_at) AS seconds
        FROM journeys_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
        WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
          AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
          AND touches > 0
    )
    GROUP BY place
)
ORDER BY place
