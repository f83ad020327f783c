-- Every mark set before as_of_us is in the sums by conversion day (id 1) or by touch day (id 2).
-- ids        which of them
-- as_of_us   microseconds since the epoch
INSERT INTO rollup_pass (id, as_of)
SELECT arrayJoin({ids:Array(UInt8)}), fromUnixTimestamp64Micro({as_of_us:Int64}, 'UTC')
