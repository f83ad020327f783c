-- The conversions whose credits differ most between two runs: per touch the difference without its sign, added over
-- touches and models. A conversion that only one run has differs by all of its credits.
-- a, b           the runs
-- from_us, to_us only conversions from this time on and before that one; 0 = no bound
-- limit          most conversions to return
SELECT
    conversion_id,
    min(at) AS converted_at,
    any(currency) AS currency,
    arraySort(groupArray(model)) AS models,
    max(micros_a) AS value_a,
    max(micros_b) AS value_b,
    sum(moved) AS difference
FROM
(
    SELECT
        model,
        conversion_id,
        min(converted_at) AS at,
        any(currency) AS currency,
        sumIf(value_micros, run_id = {a:UInt32}) AS micros_a,
        sumIf(value_micros, run_id = {b:UInt32}) AS micros_b,
        arraySum(x -> abs(x), mapValues(mapSubtract(
            anyIf(by_touch, run_id = {a:UInt32}),
            anyIf(by_touch, run_id = {b:UInt32})
        ))) AS moved
    FROM
    (
        SELECT
            run_id, model, conversion_id, converted_at, currency, value_micros,
            CAST((ids, arrayMap(touch -> touch[n], all_micros)), 'Map(String, Int64)') AS by_touch
        FROM
        (
            SELECT
                run_id, conversion_id, converted_at, currency, value_micros, models, `t.id` AS ids,
                `t.value_micros` AS all_micros
            FROM attributions FINAL
            WHERE run_id IN ({a:UInt32}, {b:UInt32})
              AND ({from_us:Int64} = 0 OR converted_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC'))
              AND ({to_us:Int64} = 0 OR converted_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC'))
        )
        ARRAY JOIN models AS model, arrayEnumerate(models) AS n
    )
    GROUP BY model, conversion_id
)
WHERE moved > 0
GROUP BY conversion_id
ORDER BY difference DESC, conversion_id
LIMIT {limit:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1
