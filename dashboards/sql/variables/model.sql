-- The models of the run.
SELECT toString(arrayJoin(models)) AS model
FROM runs FINAL
WHERE run_id = toUInt32(${run:sqlstring})
ORDER BY model != 'linear', model
