-- Records from which mark a day was built. It was read before the day was, so a later one makes the day dirty again.
-- run_id    the run
-- day       the day
-- format    of the sums
-- mark_us   the mark, microseconds since the epoch
INSERT INTO path_state (run_id, day, format, built_mark)
SELECT {run_id:UInt32}, {day:Date}, {format:UInt16}, fromUnixTimestamp64Micro({mark_us:Int64}, 'UTC')
