-- The days that have rows in a stage table; the others are empty now.
-- stage   name of the table
SELECT DISTINCT day FROM {stage:Identifier}
