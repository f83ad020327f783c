-- What all numbers stand on, in one statement of one plan: a subquery per table would each be planned and run on its own,
-- which costs more than reading them. clickhouse/standing.py puts the rows together. No parameters.
--
-- Branches are in this order because each table is seen as it was when its branch was planned, first to last: first
-- the time, then what claims that sums are built (rollup_pass), then what makes them dirty, then the sums that are built.
-- So what is claimed is never newer than the days that are listed.
--
-- part 1  the time of the server: a, and its name: text
-- part 2  active_run: run_id, a when it was switched to
-- part 3  runs: run_id, text hash of its parameters
-- part 4  worker_progress: run_id, name, a when it was written, latest the event time reached
-- part 5  rollup_pass: name its id, latest as_of
-- part 6  dirty_days: run_id, day, a newest mark
-- part 7  rollup_state: run_id, day, a, b and c newest mark in the sums by day, in both for certain, when they were built
-- part 8  spend, part 9 exchange rates: total and rows, which differ when anything was added
SELECT
    part, run_id, name, day,
    argMax(words, x) AS text, max(x) AS a, max(y) AS b, max(z) AS c, argMax(y, x) AS latest,
    sum(x) AS total, count() AS rows
FROM
(
    SELECT
        toUInt8(1) AS part, toUInt32(0) AS run_id, '' AS name, toDate(0) AS day, hostName() AS words,
        toUnixTimestamp64Micro(now64(6)) AS x, toInt64(0) AS y, toInt64(0) AS z

    UNION ALL

    SELECT 2, run_id, '', toDate(0), '', toUnixTimestamp64Micro(switched_at), toInt64(0), toInt64(0) FROM active_run

    UNION ALL

    SELECT 3, run_id, '', toDate(0), toString(config_hash), toUnixTimestamp64Micro(updated_at), toInt64(0), toInt64(0)
    FROM runs

    UNION ALL

    SELECT
        4, run_id, concat(app, '/', topic, '/', toString(partition)), toDate(0), '',
        toUnixTimestamp64Micro(updated_at), watermark_us, toInt64(0)
    FROM worker_progress

    UNION ALL

    SELECT
        5, toUInt32(0), toString(id), toDate(0), '',
        toUnixTimestamp64Micro(finished_at), toUnixTimestamp64Micro(as_of), toInt64(0)
    FROM rollup_pass

    UNION ALL

    SELECT 6, run_id, '', day, '', toUnixTimestamp64Micro(marked_at), toInt64(0), toInt64(0) FROM dirty_days

    UNION ALL

    SELECT
        7, run_id, '', day, '',
        toUnixTimestamp64Micro(seen_mark), toUnixTimestamp64Micro(built_mark), toUnixTimestamp64Micro(built_at)
    FROM rollup_state

    UNION ALL

    SELECT 8, toUInt32(0), '', toDate(0), '', reinterpretAsInt64(cityHash64(event_id, version)), toInt64(0), toInt64(0)
    FROM spend

    UNION ALL

    SELECT 9, toUInt32(0), '', toDate(0), '', reinterpretAsInt64(cityHash64(day, currency, version)), toInt64(0), toInt64(0)
    FROM fx_rates
)
GROUP BY part, run_id, name, day
SETTINGS max_threads = 1
