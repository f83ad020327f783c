-- Mutations that lost the table with their ids, by a restart of the server for instance.
-- prefix   of the names of those tables
SELECT mutation_id
FROM system.mutations
WHERE database = currentDatabase() AND NOT is_done AND latest_fail_reason != ''
  AND position(command, {prefix:String}) > 0
