-- How far each partition is: the next offset, how far its newest event is behind the end of the period (at most now), and when the worker last wrote.
SELECT
    toString(topic) AS topic,
    toString(partition) AS partition,
    offset AS next_offset,
    greatest(0, dateDiff(
        'millisecond', fromUnixTimestamp64Micro(watermark_us, 'UTC'), least(now64(6), toDateTime64($__toTime, 6))
    )) / 1000 AS lag,
    updated_at AS written
FROM worker_progress FINAL
WHERE run_id = toUInt32(${run:sqlstring}) AND watermark_us > 0
ORDER BY lag DESC, topic, partition
LIMIT 100
