-- Seconds for which the oldest change that is not in the daily sums has been waiting; 0 while all of them are in.
SELECT
    greatest(0., toFloat64(dateDiff('millisecond', min(marks.marked_at), now64(6))) / 1000) * (count() > 0) AS waiting
FROM
(
    SELECT run_id, day, dirty_days.marked_at AS marked_at
    FROM dirty_days
    WHERE run_id = toUInt32(${run:sqlstring}) AND $__timeTo(dirty_days.marked_at)
) AS marks
LEFT JOIN
(
    SELECT run_id, day, max(seen_mark) AS seen
    FROM rollup_state
    WHERE run_id = toUInt32(${run:sqlstring})
    GROUP BY run_id, day
) AS built USING (run_id, day)
WHERE marks.marked_at > built.seen
