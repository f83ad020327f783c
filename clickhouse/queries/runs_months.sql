-- Months in which a run has rows, deleted and replaced ones too.
-- run_id   the run
SELECT DISTINCT toYYYYMM(converted_at) AS month FROM attributions WHERE run_id = {run_id:UInt32} ORDER BY month
