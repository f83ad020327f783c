-- Seconds by which the newest event of a partition is behind now, of the partitions that were worked on in the last minute.
SELECT max(greatest(0, dateDiff('millisecond', fromUnixTimestamp64Micro(watermark_us, 'UTC'), now64(6)))) / 1000 AS lag
FROM worker_progress FINAL
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
  AND watermark_us > 0
  AND $__timeFilter(updated_at)
