-- Every row of a conversion in the active run that the engine still holds, the oldest first: the last one counts. Rows
-- that were replaced are there until the engine merges them away.
-- conversion_id   which one
SELECT
    rev, customer_id, converted_at, value_micros, toString(currency) AS currency, is_deleted,
    toString(config_hash) AS config_hash, emitted_at, arrayMap(m -> toString(m), models) AS models,
    `t.id` AS ids, `t.weights` AS weights, `t.value_micros` AS micros
FROM attributions
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run) AND conversion_id = {conversion_id:String}
ORDER BY rev, emitted_at
LIMIT 1000
SETTINGS max_threads = 2
