-- run_id   the run
ALTER TABLE path_state DELETE WHERE run_id = {run_id:UInt32} SETTINGS mutations_sync = 2
