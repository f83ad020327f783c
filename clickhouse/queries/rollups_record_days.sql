-- Records from which mark each day was built. The mark was read before the day was, so a later one makes it dirty again.
-- run_id       the run
-- days         the days
-- marks_us     their marks, microseconds since the epoch
-- settled_us   marks stamped up to then were visible for certain when the marks were read
INSERT INTO rollup_state (run_id, day, built_mark, seen_mark)
SELECT
    {run_id:UInt32},
    tupleElement(pair, 1),
    fromUnixTimestamp64Micro(least(tupleElement(pair, 2), {settled_us:Int64}), 'UTC'),
    fromUnixTimestamp64Micro(tupleElement(pair, 2), 'UTC')
FROM (SELECT arrayJoin(arrayZip({days:Array(Date)}, {marks_us:Array(Int64)})) AS pair)
