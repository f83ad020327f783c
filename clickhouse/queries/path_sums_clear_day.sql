-- For a day whose last conversion is gone: an empty stage partition cannot replace.
-- run_id   the run
-- day      the day
ALTER TABLE rollup_paths DROP PARTITION ({run_id:UInt32}, {day:Date})
