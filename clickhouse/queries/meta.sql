-- How fresh the numbers are. No parameters. While no day is dirty the rollups are as good as now. The sums by touch day
-- follow those by conversion day, so they have a time of their own: touch_as_of.
WITH
    (SELECT argMax(run_id, switched_at) FROM active_run) AS active,
    (SELECT max(updated_at) FROM worker_progress WHERE run_id = active) AS latest,
    (
        SELECT (countIf(d.mark > s.seen), countIf(d.mark > s.built))
        FROM (SELECT run_id, day, max(marked_at) AS mark FROM dirty_days GROUP BY run_id, day) AS d
        LEFT JOIN
        (
            SELECT run_id, day, max(seen_mark) AS seen, max(built_mark) AS built FROM rollup_state GROUP BY run_id, day
        ) AS s
            ON d.run_id = s.run_id AND d.day = s.day
        WHERE d.run_id = active
    ) AS waiting,
    (SELECT count() FROM rollup_state) AS built,
    (
        SELECT (argMaxIf(as_of, finished_at, id = 1), argMaxIf(as_of, finished_at, id = 2)) FROM rollup_pass
    ) AS passed,
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
        waiting.1 = 0 AND built > 0, now64(6, 'UTC'),
        passed.1 = toDateTime64(0, 6, 'UTC'), NULL,
        passed.1
    ) AS as_of,
    multiIf(
        waiting.2 = 0 AND built > 0, now64(6, 'UTC'),
        passed.2 = toDateTime64(0, 6, 'UTC'), NULL,
        passed.2
    ) AS touch_as_of,
    if(watermark_min > 0, fromUnixTimestamp64Micro(assumeNotNull(watermark_min), 'UTC'), NULL) AS watermark,
    if(latest = toDateTime64(0, 6, 'UTC'), NULL, latest) AS updated_at,
    waiting.1 AS dirty_days,
    now64(6, 'UTC') AS server_time
FROM runs AS r FINAL
WHERE r.run_id = active
