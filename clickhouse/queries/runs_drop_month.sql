-- run_id   the run
-- month    as toYYYYMM gives it
ALTER TABLE attributions DROP PARTITION ({run_id:UInt32}, {month:UInt32})
