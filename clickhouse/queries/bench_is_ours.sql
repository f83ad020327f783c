-- Whether a database was made by `attribution bench read`: only such a one is filled and dropped.
-- database   its name
SELECT
    count() > 0 AS is_there,
    (
        SELECT count() FROM system.tables WHERE database = {database:String} AND name = 'made_by_bench_read'
    ) > 0 AS is_ours
FROM system.databases WHERE name = {database:String}
