-- Rows of credits that became readable, a second: those that count for a conversion, and those that take one away. Rows that were replaced are counted until the engine merges them.
SELECT
    $__timeInterval(inserted_at) AS time,
    countIf(is_deleted = 0) / $__interval_s AS "Credits",
    countIf(is_deleted = 1) / $__interval_s AS "Deletions"
FROM attributions
WHERE run_id = toUInt32(${run:sqlstring}) AND $__timeFilter(inserted_at)
GROUP BY time
ORDER BY time
