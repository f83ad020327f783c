-- Days with a mark that they were not built from: the active run first, newest day first. A mark is stamped a moment
-- before it is visible: a day whose newest mark was fresh when it was built is built once more when grace_ms have passed.
-- grace_ms   longest time from a mark's stamp to its being visible
-- limit      most days to return
SELECT
    d.run_id AS run_id,
    d.day AS day,
    toUnixTimestamp64Micro(d.mark) AS mark_us,
    toUnixTimestamp64Micro(s.built) AS built_us
FROM (SELECT run_id, day, max(marked_at) AS mark FROM dirty_days GROUP BY run_id, day) AS d
LEFT JOIN
(
    SELECT run_id, day, max(built_mark) AS built, max(seen_mark) AS seen FROM rollup_state GROUP BY run_id, day
) AS s
    ON d.run_id = s.run_id AND d.day = s.day
WHERE d.mark > s.seen OR (d.mark > s.built AND now64(6) > d.mark + toIntervalMillisecond({grace_ms:UInt32}))
ORDER BY d.run_id = (SELECT argMax(run_id, switched_at) FROM active_run) DESC, d.run_id, d.day DESC
LIMIT {limit:UInt32}
