-- What a customer's touches within a time span earned. The unattributed credit stands at its conversion's time.
-- customer_id          journey key
-- models               public model ids
-- first_us, last_us    span of touched_at in microseconds, both inclusive
-- limit                most credits to return
SELECT toString(model) AS model, conversion_id, touchpoint_id, weight, value_micros, toString(currency) AS currency
FROM credits
WHERE customer_id = {customer_id:String}
  AND has({models:Array(String)}, toString(model))
  AND toUnixTimestamp64Micro(touched_at) BETWEEN {first_us:Int64} AND {last_us:Int64}
ORDER BY model, converted_at, conversion_id, position
LIMIT {limit:UInt32}
SETTINGS use_skip_indexes_if_final = 1, use_skip_indexes_if_final_exact_mode = 1
