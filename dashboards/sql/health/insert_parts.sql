-- Parts of each table on disk. Thousands in one table: inserts are too small, or merges do not keep up.
SELECT
    table,
    count() AS parts,
    sum(rows) AS rows,
    sum(bytes_on_disk) AS bytes,
    max(modification_time) AS newest
FROM system.parts
WHERE database = currentDatabase() AND active AND $__timeTo(modification_time)
GROUP BY table
ORDER BY parts DESC, table
