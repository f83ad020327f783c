-- as_of_us   every mark set before it is in the rollups; microseconds since the epoch
INSERT INTO rollup_pass (id, as_of) SELECT 1, fromUnixTimestamp64Micro({as_of_us:Int64}, 'UTC')
