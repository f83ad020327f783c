-- Days with a mark that the sums were not built from: the active run first, newest day first.
-- A day is due when its newest mark is not in the sums by conversion day (seen), and once more for what is not in both
-- sums for certain (built), when the newest mark is older than grace_ms.
-- grace_ms   longest time from a mark's stamp to its being visible
SELECT
    d.run_id AS run_id,
    d.day AS day,
    toUnixTimestamp64Micro(d.mark) AS mark_us,
    toUnixTimestamp64Micro(s.built) AS built_us,
    toUnixTimestamp64Micro(s.seen) AS seen_us,
    toBool(d.mark > s.seen OR now64(6) > d.mark + toIntervalMillisecond({grace_ms:UInt32})) AS is_due
FROM (SELECT run_id, day, max(marked_at) AS mark FROM dirty_days GROUP BY run_id, day) AS d
LEFT JOIN
(
    SELECT run_id, day, max(built_mark) AS built, max(seen_mark) AS seen FROM rollup_state GROUP BY run_id, day
) AS s
    ON d.run_id = s.run_id AND d.day = s.day
WHERE d.mark > s.built
ORDER BY d.run_id = (SELECT argMax(run_id, switched_at) FROM active_run) DESC, d.run_id, d.day DESC
