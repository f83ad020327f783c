-- Every run, dropped ones too, and whether the views show it. No parameters.
SELECT
    run_id, label, models, config_hash, config, status, source, group_id, from_us, to_us, plan, done, total, detail,
    created_us, finished_us,
    run_id = (SELECT argMax(run_id, switched_at) FROM active_run) AS is_active
FROM runs FINAL
ORDER BY run_id
