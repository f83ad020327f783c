-- How many rows of two runs are equal, by model and currency. Compared is everything but run_id, rev, emitted_at and config_hash.
-- a, b           the runs
-- from_us, to_us only conversions from this time on and before that one; 0 = no bound
SELECT
    model,
    currency,
    countIf(in_a AND in_b AND hash_a = hash_b) AS equal,
    countIf(in_a AND in_b AND hash_a != hash_b) AS different,
    countIf(in_a AND NOT in_b) AS only_a,
    countIf(in_b AND NOT in_a) AS only_b,
    sum(micros_a) AS value_a,
    sum(micros_b) AS value_b
FROM
(
    SELECT
        model,
        conversion_id,
        any(row_currency) AS currency,
        countIf(run_id = {a:UInt32}) > 0 AS in_a,
        countIf(run_id = {b:UInt32}) > 0 AS in_b,
        sumIf(hash, run_id = {a:UInt32}) AS hash_a,
        sumIf(hash, run_id = {b:UInt32}) AS hash_b,
        sumIf(value_micros, run_id = {a:UInt32}) AS micros_a,
        sumIf(value_micros, run_id = {b:UInt32}) AS micros_b
    FROM
    (
        SELECT
            run_id, model, conversion_id, value_micros, row_currency,
            sipHash64(
                customer_id, conversion_type, converted_at, value_micros, row_currency,
                ids, ats, channels, campaigns,
                arrayMap(touch -> touch[n], all_weights), arrayMap(touch -> touch[n], all_micros),
                fallbacks[n], truncated
            ) AS hash
        FROM
        (
            SELECT
                run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros,
                currency AS row_currency, models, fallbacks, truncated,
                `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
                `t.weights` AS all_weights, `t.value_micros` AS all_micros
            FROM attributions FINAL
            WHERE run_id IN ({a:UInt32}, {b:UInt32})
              AND ({from_us:Int64} = 0 OR converted_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC'))
              AND ({to_us:Int64} = 0 OR converted_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC'))
        )
        ARRAY JOIN models AS model, arrayEnumerate(models) AS n
    )
    GROUP BY model, conversion_id
)
GROUP BY model, currency
ORDER BY model, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
