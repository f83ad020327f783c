-- Marks every day of a run that has rows, so that all of it is built again.
-- run_id   the run
INSERT INTO dirty_days (run_id, day)
SELECT DISTINCT run_id, toDate(converted_at) FROM attributions WHERE run_id = {run_id:UInt32}
UNION DISTINCT
SELECT DISTINCT run_id, day FROM rollup_day WHERE run_id = {run_id:UInt32}
