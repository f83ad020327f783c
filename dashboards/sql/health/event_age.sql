-- Age of a conversion when its row became readable, by the time of that: median, 75 and 90 of 100. A correction (refund, late touch) counts with the whole age of its conversion, so the upper lines show how many there are.
SELECT time, q[1] AS p50, q[2] AS p75, q[3] AS p90
FROM
(
    SELECT
        $__timeInterval(inserted_at) AS time,
        quantiles(0.5, 0.75, 0.9)(greatest(0, dateDiff('millisecond', converted_at, inserted_at)) / 1000) AS q
    FROM attributions
    WHERE run_id = toUInt32(${run:sqlstring}) AND $__timeFilter(inserted_at)
    GROUP BY time
)
ORDER BY time
