-- How fresh the numbers are. No parameters. While no day is dirty the rollups are as good as now.
WITH
    (SELECT argMax(run_id, switched_at) FROM active_run) AS active,
    (SELECT max(updated_at) FROM worker_progress WHERE run_id = active) AS latest,
    (
        SELECT count()
        FROM (SELECT run_id, day, max(marked_at) AS mark FROM dirty_days GROUP BY run_id, day) AS d
        LEFT JOIN (SELECT run_id, day, max(seen_mark) AS seen FROM rollup_state GROUP BY run_id, day) AS s
            ON d.run_id = s.run_id AND d.day = s.day
        WHERE d.run_id = active AND d.mark > s.seen
    ) AS dirty,
    (SELECT count() FROM rollup_state) AS built,
    (SELECT argMax(as_of, finished_at) FROM rollup_pass) AS passed,
    (
        SELECT min(watermark_us)
        FROM worker_progress FINAL
        WHERE run_id = active AND watermark_us > 0 AND updated_at >= latest - INTERVAL 60 SECOND
    ) AS watermark_min
SELECT
    r.run_id AS run_id,
    r.label AS run_label,
    r.config_hash AS config_hash,
    multiIf(
        dirty = 0 AND built > 0, now64(6, 'UTC'),
        passed = toDateTime64(0, 6, 'UTC'), NULL,
        passed
    ) AS as_of,
    if(watermark_min > 0, fromUnixTimestamp64Micro(assumeNotNull(watermark_min), 'UTC'), NULL) AS watermark,
    if(latest = toDateTime64(0, 6, 'UTC'), NULL, latest) AS updated_at,
    dirty AS dirty_days,
    now64(6, 'UTC') AS server_time
FROM runs AS r FINAL
WHERE r.run_id = active
SETTINGS max_threads = 1
