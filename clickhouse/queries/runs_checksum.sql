-- All columns of the rows of one run in an order-independent sum: equal rows have equal sums, in any order of insertion.
-- Left out: run_id; rev and emitted_at, which tell how and when a row was delivered and not what it says.
-- run_id   the run
SELECT
    count() AS credit_rows,
    sum(cityHash64(
        model, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency,
        `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weight`, `t.value_micros`, fallback, truncated, config_hash
    )) AS hash_sum,
    groupBitXor(sipHash64(
        model, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency,
        `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weight`, `t.value_micros`, fallback, truncated, config_hash
    )) AS hash_xor
FROM attributions FINAL
WHERE run_id = {run_id:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1
