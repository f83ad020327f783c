-- Parameters of the active run, as JSON. No parameters.
SELECT config, toString(config_hash) AS config_hash
FROM runs FINAL
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
