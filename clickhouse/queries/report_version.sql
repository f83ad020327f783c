-- A number that differs when anything that a report over rollups reads may differ: the days that were built, spend,
-- exchange rates, the active run. Merges may change it, too. Read it before the report: what is read later is at least
-- as new. No parameters.
SELECT cityHash64(
    (SELECT (count(), max(switched_at), argMax(run_id, switched_at)) FROM active_run),
    (SELECT (count(), sum(cityHash64(run_id, day, built_mark, built_at))) FROM rollup_state),
    (SELECT (count(), sum(cityHash64(event_id, version))) FROM spend),
    (SELECT (count(), sum(cityHash64(day, currency, version))) FROM fx_rates)
) AS version
SETTINGS max_threads = 1
