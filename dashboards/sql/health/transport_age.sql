-- Age of an event when the broker got it, by the time of that: what producers and their queues cost. Reads the touchpoints of a month before the period on.
SELECT time, q[1] AS p50, q[2] AS p95, q[3] AS p99
FROM
(
    SELECT
        $__timeInterval(received_at) AS time,
        quantiles(0.5, 0.95, 0.99)(greatest(0, dateDiff('millisecond', occurred_at, received_at)) / 1000) AS q
    FROM touchpoints
    WHERE $__timeFilter(received_at) AND occurred_at >= $__fromTime - INTERVAL 31 DAY
    GROUP BY time
)
ORDER BY time
