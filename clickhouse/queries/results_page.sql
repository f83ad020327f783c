-- A customer's credits, one row per model and conversion, newest conversion first, behind a position.
-- customer_id                        journey key
-- model                              public model id, '' for all
-- has_after                          0 for the first page
-- after_us, after_id, after_model    last row of the page before: converted_at in microseconds, conversion id, model
-- limit                              most rows to return
SELECT
    toString(model) AS model,
    conversion_id,
    any(conversion_type) AS conversion_type,
    any(converted_at) AS converted_at,
    sum(value_micros) AS value_micros,
    any(currency) AS currency,
    any(rev) AS rev,
    arraySort(groupArray((position, touchpoint_id, touched_at, toString(channel), campaign, weight, c.value_micros))) AS path
FROM credits AS c
WHERE customer_id = {customer_id:String}
  AND ({model:String} = '' OR model = {model:String})
  AND
  (
      {has_after:UInt8} = 0
      OR (toUnixTimestamp64Micro(c.converted_at), conversion_id, toString(model))
          < ({after_us:Int64}, {after_id:String}, {after_model:String})
  )
GROUP BY model, conversion_id
ORDER BY converted_at DESC, conversion_id DESC, model DESC
LIMIT {limit:UInt32}
SETTINGS use_skip_indexes_if_final = 1, use_skip_indexes_if_final_exact_mode = 1
