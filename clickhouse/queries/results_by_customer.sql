-- Every credit of a customer's conversions in the active run.
-- customer_id   journey key
-- model         public model id, '' for all
-- limit         most credits to return
SELECT
    run_id, model, conversion_id, customer_id, conversion_type, converted_at, currency,
    position, touchpoint_id, touched_at, channel, campaign, weight, value_micros, rev
FROM credits
WHERE customer_id = {customer_id:String}
  AND ({model:String} = '' OR model = {model:String})
ORDER BY converted_at, conversion_id, model, position
LIMIT {limit:UInt32}
SETTINGS use_skip_indexes_if_final = 1, use_skip_indexes_if_final_exact_mode = 1
