-- From a worker's decision to the row being readable, by the time of that: the insert, with its retries.
SELECT time, q[1] AS p50, q[2] AS p95, q[3] AS p99
FROM
(
    SELECT
        $__timeInterval(inserted_at) AS time,
        quantiles(0.5, 0.95, 0.99)(greatest(0, dateDiff('millisecond', emitted_at, inserted_at)) / 1000) AS q
    FROM attributions
    WHERE run_id = toUInt32(${run:sqlstring}) AND $__timeFilter(inserted_at)
    GROUP BY time
)
ORDER BY time
