-- Empties a stage table between two passes of a turn.
-- stage   name of the table
TRUNCATE TABLE {stage:Identifier}
