-- Days for which a run has daily sums of any kind.
-- run_id   the run
SELECT DISTINCT day FROM rollup_day WHERE run_id = {run_id:UInt32}
UNION DISTINCT
SELECT DISTINCT day FROM rollup_touch_day WHERE run_id = {run_id:UInt32}
UNION DISTINCT
SELECT DISTINCT day FROM rollup_paths WHERE run_id = {run_id:UInt32}
