-- What each channel gets in two runs, by model and currency: value in micros, conversions as sums of weights.
-- Summed first for all models at once, then model by model: runs may list their models in different orders.
-- a, b           the runs
-- from_us, to_us only conversions from this time on and before that one; 0 = no bound
SELECT
    model,
    channel,
    currency,
    sum(micros_a) AS value_a,
    sum(micros_b) AS value_b,
    sumKahan(weight_a) AS conversions_a,
    sumKahan(weight_b) AS conversions_b
FROM
(
    SELECT
        models,
        channel,
        currency,
        sumForEach(if(run_id = {a:UInt32}, micros, arrayMap(x -> toInt64(0), micros))) AS all_micros_a,
        sumForEach(if(run_id = {b:UInt32}, micros, arrayMap(x -> toInt64(0), micros))) AS all_micros_b,
        sumKahanForEach(if(run_id = {a:UInt32}, weights, arrayMap(x -> toFloat64(0), weights))) AS all_weights_a,
        sumKahanForEach(if(run_id = {b:UInt32}, weights, arrayMap(x -> toFloat64(0), weights))) AS all_weights_b
    FROM
    (
        SELECT
            run_id, models, currency,
            `t.channel` AS channels, `t.weights` AS touch_weights, `t.value_micros` AS touch_micros
        FROM attributions FINAL
        WHERE run_id IN ({a:UInt32}, {b:UInt32})
          AND ({from_us:Int64} = 0 OR converted_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC'))
          AND ({to_us:Int64} = 0 OR converted_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC'))
    )
    ARRAY JOIN channels AS channel, touch_weights AS weights, touch_micros AS micros
    GROUP BY models, channel, currency
)
ARRAY JOIN
    models AS model, all_micros_a AS micros_a, all_micros_b AS micros_b, all_weights_a AS weight_a,
    all_weights_b AS weight_b
GROUP BY model, channel, currency
ORDER BY model, channel, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
