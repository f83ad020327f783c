-- Seconds since a lock was taken, by the server's clock; no row while it is free.
-- lock   name of the table
SELECT toInt64(now()) - toInt64(metadata_modification_time) AS age_s
FROM system.tables
WHERE database = currentDatabase() AND name = {lock:String}
