-- What each channel gets in two runs, by model and currency: value in micros, conversions as sums of weights.
-- a, b           the runs
-- from_us, to_us only conversions from this time on and before that one; 0 = no bound
SELECT
    model,
    channel,
    currency,
    sumIf(micros, run_id = {a:UInt32}) AS value_a,
    sumIf(micros, run_id = {b:UInt32}) AS value_b,
    sumKahanIf(weight, run_id = {a:UInt32}) AS conversions_a,
    sumKahanIf(weight, run_id = {b:UInt32}) AS conversions_b
FROM
(
    SELECT
        run_id, model, currency, `t.channel` AS channels, `t.weight` AS weights, `t.value_micros` AS amounts
    FROM attributions FINAL
    WHERE run_id IN ({a:UInt32}, {b:UInt32})
      AND ({from_us:Int64} = 0 OR converted_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC'))
      AND ({to_us:Int64} = 0 OR converted_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC'))
)
ARRAY JOIN channels AS channel, weights AS weight, amounts AS micros
GROUP BY model, channel, currency
ORDER BY model, channel, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
