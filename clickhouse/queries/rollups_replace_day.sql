-- stage    where the day was built
-- run_id   the run
-- day      the day
ALTER TABLE rollup_day REPLACE PARTITION ({run_id:UInt32}, {day:Date}) FROM {stage:Identifier}
