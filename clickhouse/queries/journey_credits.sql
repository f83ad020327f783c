-- What a customer's touches within a time span earned. The unattributed credit stands at its conversion's time.
-- customer_id          journey key
-- models               public model ids
-- first_us, last_us    span of touched_at in microseconds, both inclusive
-- limit                most credits to return
WITH (SELECT argMax(run_id, switched_at) FROM active_run) AS active
SELECT
    toString(name) AS model, conversion_id, touchpoint_id, weights[n] AS weight, micros[n] AS value_micros,
    toString(currency) AS currency
FROM
(
    SELECT conversion_id, converted_at, currency, models, position, touchpoint_id, touched_at, weights, micros
    FROM
    (
        SELECT
            conversion_id, converted_at, currency, models, `t.id` AS ids, `t.at` AS ats,
            `t.weights` AS all_weights, `t.value_micros` AS all_micros
        FROM attributions FINAL
        PREWHERE (toDate(converted_at), intDiv(toUnixTimestamp64Micro(converted_at), 60000000), conversion_id) IN
        (
            -- keys of rows that are or were of the customer, by the bloom filter: FINAL then compares a few granules only
            SELECT toDate(converted_at), intDiv(toUnixTimestamp64Micro(converted_at), 60000000), conversion_id
            FROM attributions
            WHERE run_id = active AND customer_id = {customer_id:String}
        )
        WHERE run_id = active AND customer_id = {customer_id:String}
    )
    ARRAY JOIN
        arrayEnumerate(ids) AS position, ids AS touchpoint_id, ats AS touched_at, all_weights AS weights,
        all_micros AS micros
    WHERE toUnixTimestamp64Micro(touched_at) BETWEEN {first_us:Int64} AND {last_us:Int64}
)
ARRAY JOIN models AS name, arrayEnumerate(models) AS n
WHERE has({models:Array(String)}, toString(name))
ORDER BY model, converted_at, conversion_id, position
LIMIT {limit:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1, max_threads = 1
