-- stage   name of the table, new for each build
CREATE TABLE {stage:Identifier} AS rollup_paths
