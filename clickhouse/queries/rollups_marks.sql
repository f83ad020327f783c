-- The marks of one day that are newer than what it was built from. unit 0 is the whole day, n its n-th minute.
-- run_id     the run
-- day        the day
-- after_us   microseconds since the epoch
SELECT unit, toUnixTimestamp64Micro(max(marked_at)) AS mark_us
FROM dirty_days
WHERE run_id = {run_id:UInt32} AND day = {day:Date}
GROUP BY unit
HAVING mark_us > {after_us:Int64}
ORDER BY unit
