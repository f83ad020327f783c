-- Records from which marks each day was built. They were read before the day was, so a later one makes it dirty again.
-- run_id     the run
-- days       the days
-- built_us   marks up to then are in both sums for certain, microseconds since the epoch
-- seen_us    the newest mark that was visible when the sums by conversion day were built
INSERT INTO rollup_state (run_id, day, built_mark, seen_mark)
SELECT
    {run_id:UInt32},
    tupleElement(row, 1),
    fromUnixTimestamp64Micro(tupleElement(row, 2), 'UTC'),
    fromUnixTimestamp64Micro(tupleElement(row, 3), 'UTC')
FROM (SELECT arrayJoin(arrayZip({days:Array(Date)}, {built_us:Array(Int64)}, {seen_us:Array(Int64)})) AS row)
