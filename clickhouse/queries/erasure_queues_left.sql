-- Tables with ids that an attempt left behind, an hour ago or more; one that a running mutation still names stays.
-- prefix   of their names
SELECT name
FROM system.tables
WHERE database = currentDatabase()
  AND startsWith(name, {prefix:String})
  AND metadata_modification_time < now() - INTERVAL 1 HOUR
  AND name NOT IN
  (
      SELECT extract(command, concat('`?(', {prefix:String}, '[0-9a-f]+)'))
      FROM system.mutations
      WHERE database = currentDatabase() AND NOT is_done
  )
