-- All columns of the rows of one run in an order-independent sum: equal rows have equal sums, in any order of insertion
-- and of models. A row here is a conversion under one model.
-- Left out: run_id; rev and emitted_at, which tell how and when a row was delivered and not what it says.
-- run_id   the run
SELECT
    count() AS credit_rows,
    sum(cityHash64(
        model, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency,
        ids, ats, channels, campaigns, weights, micros, fallback, truncated, config_hash
    )) AS hash_sum,
    groupBitXor(sipHash64(
        model, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency,
        ids, ats, channels, campaigns, weights, micros, fallback, truncated, config_hash
    )) AS hash_xor
FROM
(
    SELECT
        model, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency,
        ids, ats, channels, campaigns, truncated, config_hash,
        arrayMap(touch -> touch[n], all_weights) AS weights,
        arrayMap(touch -> touch[n], all_micros) AS micros,
        fallbacks[n] AS fallback
    FROM
    (
        SELECT
            conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models, fallbacks,
            truncated, config_hash, `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
            `t.weights` AS all_weights, `t.value_micros` AS all_micros
        FROM attributions FINAL
        WHERE run_id = {run_id:UInt32}
    )
    ARRAY JOIN models AS model, arrayEnumerate(models) AS n
)
SETTINGS do_not_merge_across_partitions_select_final = 1
