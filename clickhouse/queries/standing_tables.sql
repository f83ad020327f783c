-- Whether all parts of the tables of standing.sql are on this server, as far as it can see: none is Distributed, a view, or
-- of another kind without parts. No parameters.
SELECT count() = 8 AND countIf(NOT endsWith(engine, 'MergeTree')) = 0 AS has_all_parts
FROM system.tables
WHERE database = currentDatabase()
  AND name IN ('active_run', 'runs', 'worker_progress', 'rollup_pass', 'dirty_days', 'rollup_state', 'spend', 'fx_rates')
SETTINGS max_threads = 1
