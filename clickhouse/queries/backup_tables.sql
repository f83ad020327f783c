-- Tables that hold rows, and whether only the newest row of a key counts.
-- database   name
-- -> name, is_replacing
SELECT name, engine LIKE '%Replacing%' AS is_replacing
FROM system.tables
WHERE database = {database:String} AND engine LIKE '%MergeTree' AND NOT startsWith(name, 'rollup_stage_')
ORDER BY name
