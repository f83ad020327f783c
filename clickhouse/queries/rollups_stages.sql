-- Stage tables that a killed pass has left behind. No parameters.
SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'rollup_stage_')
