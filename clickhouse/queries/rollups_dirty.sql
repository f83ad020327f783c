-- Days with a mark newer than the one they were built from: the active run first, newest day first.
-- limit   most days to return
SELECT d.run_id AS run_id, d.day AS day, toUnixTimestamp64Micro(d.mark) AS mark_us
FROM (SELECT run_id, day, max(marked_at) AS mark FROM dirty_days GROUP BY run_id, day) AS d
LEFT JOIN (SELECT run_id, day, max(built_mark) AS built FROM rollup_state GROUP BY run_id, day) AS s
    ON d.run_id = s.run_id AND d.day = s.day
WHERE d.mark > s.built
ORDER BY d.run_id = (SELECT argMax(run_id, switched_at) FROM active_run) DESC, d.run_id, d.day DESC
LIMIT {limit:UInt32}
