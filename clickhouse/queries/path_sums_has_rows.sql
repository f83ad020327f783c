-- Whether a stage table holds anything.
-- stage    name of the table
SELECT count() > 0 AS has_rows FROM {stage:Identifier}
