-- Says that a minute of a day has changed, as a worker does.
-- day    the day
-- unit   its minute, from 1
INSERT INTO dirty_days (run_id, day, unit) SELECT 1, {day:Date}, {unit:UInt16}
