-- touch_stage   name of the table, new for each pass
CREATE TABLE {touch_stage:Identifier} AS rollup_touch_day
