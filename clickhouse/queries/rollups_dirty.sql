-- Days with a mark that the sums were not built from: the active run first, newest day first.
-- A day is due when its newest mark is not in the sums by conversion day (seen), and once more for what is not in both
-- sums for certain (built), when the newest mark is older than grace_ms.
-- marks: (unit, mark) of the units whose mark is newer than built, or than held_us if that is earlier, newest first,
-- held_us      the oldest mark up to which the roller has read a day that it holds, microseconds since the epoch
-- most_marks of them at most. unit 0 is the whole day, n its n-th minute.
-- grace_ms     longest time from a mark's stamp to its being visible
-- held_us      the oldest mark up to which the roller has read a day that it holds, microseconds since the epoch
-- most_marks   how many marks of a day are told at most
SELECT
    toUnixTimestamp64Micro(now64(6)) AS now_us,
    d.run_id AS run_id,
    d.day AS day,
    toUnixTimestamp64Micro(d.mark) AS mark_us,
    toUnixTimestamp64Micro(s.built) AS built_us,
    toUnixTimestamp64Micro(s.seen) AS seen_us,
    arraySlice(
        arrayReverseSort(pair -> pair.2, arrayFilter(pair -> pair.2 > least(built_us, {held_us:Int64}), d.units)), 1, {most_marks:UInt32}
    ) AS marks,
    toBool(d.mark > s.seen OR now64(6) > d.mark + toIntervalMillisecond({grace_ms:UInt32})) AS is_due
FROM
(
    SELECT run_id, day, max(mark_of_unit) AS mark, groupArray((unit, toUnixTimestamp64Micro(mark_of_unit))) AS units
    FROM (SELECT run_id, day, unit, max(marked_at) AS mark_of_unit FROM dirty_days GROUP BY run_id, day, unit)
    GROUP BY run_id, day
) AS d
LEFT JOIN
(
    SELECT run_id, day, max(built_mark) AS built, max(seen_mark) AS seen FROM rollup_state GROUP BY run_id, day
) AS s
    ON d.run_id = s.run_id AND d.day = s.day
WHERE d.mark > s.built
ORDER BY d.run_id = (SELECT argMax(run_id, switched_at) FROM active_run) DESC, d.run_id, d.day DESC
SETTINGS max_threads = 1
