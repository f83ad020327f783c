-- Touches and conversions by the time at which the broker got them, a second. Reads both tables of a month before the period on.
SELECT
    time,
    sumIf(n, kind = 'touchpoints') / $__interval_s AS "Touchpoints",
    sumIf(n, kind = 'conversions') / $__interval_s AS "Conversions"
FROM
(
    SELECT $__timeInterval(received_at) AS time, 'touchpoints' AS kind, count() AS n
    FROM touchpoints
    WHERE $__timeFilter(received_at) AND occurred_at >= $__fromTime - INTERVAL 31 DAY
    GROUP BY time

    UNION ALL

    SELECT $__timeInterval(received_at) AS time, 'conversions', count()
    FROM conversions
    WHERE $__timeFilter(received_at) AND occurred_at >= $__fromTime - INTERVAL 31 DAY
    GROUP BY time
)
GROUP BY time
ORDER BY time
