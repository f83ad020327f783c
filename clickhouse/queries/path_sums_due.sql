-- Days whose path sums are worth building: the newest mark is older than grace_ms, so whatever was marked before is visible,
-- and the day was not built for again_ms. Days that were never built come first, those of the active run before others and
-- new ones before old ones; then those that were built the longest ago.
-- format     of the sums; those of another one count as never built
-- grace_ms   longest time from a mark's stamp to its being visible
-- again_ms   least time between two builds of a day
SELECT d.run_id AS run_id, d.day AS day, toUnixTimestamp64Micro(d.mark) AS mark_us
FROM (SELECT run_id, day, max(marked_at) AS mark FROM dirty_days GROUP BY run_id, day) AS d
LEFT JOIN
(
    SELECT run_id, day, max(built_mark) AS built, max(built_at) AS at
    FROM path_state
    GROUP BY run_id, day
    HAVING argMax(format, built_at) = {format:UInt16}
) AS s
    ON d.run_id = s.run_id AND d.day = s.day
WHERE d.mark > s.built
  AND now64(6) > d.mark + toIntervalMillisecond({grace_ms:UInt32})
  AND now64(6) > s.at + toIntervalMillisecond({again_ms:UInt32})
ORDER BY s.at, d.run_id = (SELECT argMax(run_id, switched_at) FROM active_run) DESC, d.run_id, d.day DESC
SETTINGS max_threads = 1
