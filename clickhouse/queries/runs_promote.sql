-- The one row that every view looks at: from the end of this insert on they show the run.
-- run_id   the run
INSERT INTO active_run (id, run_id) SELECT 1, {run_id:UInt32}
