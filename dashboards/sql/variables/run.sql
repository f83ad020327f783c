-- Runs of parameters, the one that reports show first.
SELECT
    toString(run_id) AS value,
    if(run_id = (SELECT argMax(run_id, switched_at) FROM active_run), concat(label, ' (active)'), label) AS text
FROM runs FINAL
WHERE status != 'dropped'
ORDER BY run_id = (SELECT argMax(run_id, switched_at) FROM active_run) DESC, run_id
