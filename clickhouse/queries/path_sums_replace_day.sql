-- The engine takes no parameter for the table behind FROM: its name is put in by the caller, who made it.
-- run_id   the run
-- day      the day
ALTER TABLE rollup_paths REPLACE PARTITION ({run_id:UInt32}, {day:Date}) FROM path_stage
