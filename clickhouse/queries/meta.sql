-- How fresh the numbers are. No parameters. While no day is dirty the rollups are as good as now. The sums by touch day
-- follow those by conversion day, so they have a time of their own: touch_as_of.
WITH
    (SELECT argMax(run_id, switched_at) FROM active_run) AS active,
    (
        SELECT (max(updated_at), minIf(watermark_us, watermark_us > 0 AND updated_at >= newest - INTERVAL 60 SECOND))
        FROM
        (
            SELECT watermark_us, updated_at, max(updated_at) OVER () AS newest
            FROM worker_progress FINAL
            WHERE run_id = active
        )
    ) AS progress,
    (
        SELECT (
            countIf(run_id = active AND mark > seen),
            countIf(run_id = active AND mark > built),
            sum(states)
        )
        FROM
        (
            SELECT run_id, max(marked) AS mark, max(seen_at) AS seen, max(built_at) AS built, sum(is_state) AS states
            FROM
            (
                SELECT
                    run_id, day, marked_at AS marked,
                    toDateTime64(0, 6, 'UTC') AS seen_at, toDateTime64(0, 6, 'UTC') AS built_at, 0 AS is_state
                FROM dirty_days

                UNION ALL

                SELECT run_id, day, toDateTime64(0, 6, 'UTC'), seen_mark, built_mark, 1 FROM rollup_state
            )
            GROUP BY run_id, day
        )
    ) AS days,
    (
        SELECT (argMaxIf(as_of, finished_at, id = 1), argMaxIf(as_of, finished_at, id = 2)) FROM rollup_pass
    ) AS passed
SELECT
    r.run_id AS run_id,
    r.label AS run_label,
    r.config_hash AS config_hash,
    multiIf(
        days.1 = 0 AND days.3 > 0, now64(6, 'UTC'),
        passed.1 = toDateTime64(0, 6, 'UTC'), NULL,
        passed.1
    ) AS as_of,
    multiIf(
        days.2 = 0 AND days.3 > 0, now64(6, 'UTC'),
        passed.2 = toDateTime64(0, 6, 'UTC'), NULL,
        passed.2
    ) AS touch_as_of,
    if(progress.2 > 0, fromUnixTimestamp64Micro(progress.2, 'UTC'), NULL) AS watermark,
    if(progress.1 = toDateTime64(0, 6, 'UTC'), NULL, progress.1) AS updated_at,
    days.1 AS dirty_days,
    now64(6, 'UTC') AS server_time
FROM runs AS r FINAL
WHERE r.run_id = active
SETTINGS max_threads = 1
