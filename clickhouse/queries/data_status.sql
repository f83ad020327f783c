-- How far the workers of the active run are, by topic and partition. No parameters.
SELECT
    run_id,
    app,
    topic,
    partition,
    offset,
    if(watermark_us > 0, fromUnixTimestamp64Micro(watermark_us, 'UTC'), NULL) AS watermark,
    updated_at
FROM worker_progress FINAL
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
ORDER BY app, topic, partition
