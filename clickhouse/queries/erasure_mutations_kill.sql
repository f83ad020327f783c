-- Gives up mutations that lost the table with their ids; the erasure is done again with a new one.
-- prefix   of the names of those tables
KILL MUTATION
WHERE database = currentDatabase() AND NOT is_done AND latest_fail_reason != ''
  AND position(command, {prefix:String}) > 0
SYNC
