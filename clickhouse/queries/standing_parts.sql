-- A number that differs when anything was written to the tables of standing.sql, and what it belongs to. No parameters.
-- Parts are never changed, only added and taken away; a merge gives another number too. The time is read before them.
SELECT
    hostName() AS host,
    toUnixTimestamp64Micro(now64(6)) AS now_us,
    sum(cityHash64(table, name, hash_of_all_files)) AS parts,
    count() AS n
FROM system.parts
WHERE database = currentDatabase()
  AND active
  AND table IN ('active_run', 'runs', 'worker_progress', 'rollup_pass', 'dirty_days', 'rollup_state', 'spend', 'fx_rates')
SETTINGS max_threads = 1
