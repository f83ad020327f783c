-- The days that have rows in a stage table; the others are empty now.
-- stage    name of the table
-- run_id   the run
-- days     which days to look for
SELECT DISTINCT day FROM {stage:Identifier} WHERE run_id = {run_id:UInt32} AND day IN {days:Array(Date)}
