-- How many days of each run have rows that its daily sums do not hold yet. A run without any is not there.
-- a, b   the runs
SELECT d.run_id AS run_id, count() AS days
FROM
(
    SELECT run_id, day, max(marked_at) AS mark FROM dirty_days
    WHERE run_id IN ({a:UInt32}, {b:UInt32})
    GROUP BY run_id, day
) AS d
LEFT JOIN
(
    SELECT run_id, day, max(seen_mark) AS seen FROM rollup_state
    WHERE run_id IN ({a:UInt32}, {b:UInt32})
    GROUP BY run_id, day
) AS s
    ON d.run_id = s.run_id AND d.day = s.day
WHERE d.mark > s.seen
GROUP BY run_id
