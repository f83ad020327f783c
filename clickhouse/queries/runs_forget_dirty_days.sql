-- run_id   the run
ALTER TABLE dirty_days DELETE WHERE run_id = {run_id:UInt32} SETTINGS mutations_sync = 2
