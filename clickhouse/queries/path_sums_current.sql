-- Days of a run whose path sums hold all that was marked, and when they were built: microseconds since the epoch.
-- run_id       the run
-- start, end   Date, both inclusive
-- format       of the sums
SELECT day, toUnixTimestamp64Micro(max(at)) AS built_us
FROM
(
    SELECT day, marked_at AS mark, toDateTime64(0, 6, 'UTC') AS built, toUInt16(0) AS form, toDateTime64(0, 6, 'UTC') AS at
    FROM dirty_days
    WHERE run_id = {run_id:UInt32} AND day BETWEEN {start:Date} AND {end:Date}

    UNION ALL

    SELECT day, toDateTime64(0, 6, 'UTC'), built_mark, format, built_at
    FROM path_state
    WHERE run_id = {run_id:UInt32} AND day BETWEEN {start:Date} AND {end:Date}
)
GROUP BY day
HAVING max(built) >= max(mark) AND argMax(form, at) = {format:UInt16}
ORDER BY day
SETTINGS max_threads = 1
