-- Runs of parameters, the newest first, and how far a replay is.
SELECT
    label AS run,
    run_id = (SELECT argMax(run_id, switched_at) FROM active_run) ? 'active' : if(status = '', 'complete', toString(status)) AS state,
    if(total > 0, done / total, if(status IN ('', 'complete'), 1., 0.)) AS progress,
    done,
    total,
    updated_at AS time
FROM runs FINAL
WHERE $__timeTo(updated_at)
ORDER BY run_id DESC
LIMIT 20
