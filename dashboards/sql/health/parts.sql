-- Parts of the table that has most of them.
SELECT max(n) AS parts
FROM
(
    SELECT count() AS n
    FROM system.parts
    WHERE database = currentDatabase() AND active AND $__timeTo(modification_time)
    GROUP BY table
)
