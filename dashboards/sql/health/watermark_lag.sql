-- Seconds between the end of the period (at most now) and the newest event of the partition that is furthest behind. It grows while a topic is quiet, too: the consumer lag of Prometheus tells the two apart.
SELECT
    max(greatest(0, dateDiff(
        'millisecond', fromUnixTimestamp64Micro(watermark_us, 'UTC'), least(now64(6), toDateTime64($__toTime, 6))
    ))) / 1000 AS lag
FROM worker_progress FINAL
WHERE run_id = toUInt32(${run:sqlstring}) AND watermark_us > 0
