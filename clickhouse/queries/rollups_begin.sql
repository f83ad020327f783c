-- The server's clock, the one that stamps the marks, in microseconds since the epoch, and the stage tables that a killed
-- pass has left behind. No parameters.
SELECT
    toUnixTimestamp64Micro(now64(6)) AS now_us,
    (
        SELECT groupArray(name)
        FROM system.tables
        WHERE database = currentDatabase() AND startsWith(name, 'rollup_stage_')
    ) AS left_behind
