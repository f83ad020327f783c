-- stage   name of the table, new for each pass
CREATE TABLE {stage:Identifier} AS rollup_day
