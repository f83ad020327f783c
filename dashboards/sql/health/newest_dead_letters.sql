-- The newest refused records of the period. `attribution dlq show PARTITION@OFFSET` shows the bytes, `attribution dlq retry` sends them again.
SELECT
    failed_at AS time,
    toString(topic) AS topic,
    toString(partition) AS partition,
    offset,
    toString(reason) AS reason,
    toString(field) AS field,
    detail
FROM dead_letters FINAL
WHERE $__timeFilter(failed_at)
ORDER BY failed_at DESC, topic, partition, offset DESC
LIMIT 50
