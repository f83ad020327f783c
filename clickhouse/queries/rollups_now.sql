-- The server's clock, the one that stamps the marks; microseconds since the epoch. No parameters.
SELECT toUnixTimestamp64Micro(now64(6)) AS now_us
