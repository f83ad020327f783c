-- How far the workers of the active run have read, as they report it.
SELECT
    topic,
    partition,
    offset,
    if(watermark_us > 0, fromUnixTimestamp64Micro(watermark_us, 'UTC'), NULL) AS watermark,
    updated_at
FROM worker_progress FINAL
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
ORDER BY topic, partition
