-- The stage tables that a killed build has left behind. No parameters.
SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'path_stage_')
