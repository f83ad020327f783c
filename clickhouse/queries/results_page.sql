-- A customer's credits, one row per model and conversion, newest conversion first, behind a position.
-- customer_id                        journey key
-- model                              public model id, '' for all
-- has_after                          0 for the first page
-- after_us, after_id, after_model    last row of the page before: converted_at in microseconds, conversion id, model
-- limit                              most rows to return
WITH (SELECT argMax(run_id, switched_at) FROM active_run) AS active
SELECT
    toString(name) AS model,
    conversion_id,
    conversion_type,
    converted_at,
    arraySum(micros -> micros[n], all_micros) AS value_micros,
    currency,
    rev,
    arrayMap(
        (position, id, at, channel, campaign, weights, micros) ->
            (position, id, at, toString(channel), campaign, weights[n], micros[n]),
        arrayEnumerate(ids), ids, ats, channels, campaigns, all_weights, all_micros
    ) AS path
FROM
(
    SELECT
        conversion_id, conversion_type, converted_at, currency, rev, models,
        `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
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
ARRAY JOIN models AS name, arrayEnumerate(models) AS n
WHERE notEmpty(ids)
  AND ({model:String} = '' OR name = {model:String})
  AND
  (
      {has_after:UInt8} = 0
      OR (toUnixTimestamp64Micro(converted_at), conversion_id, toString(name))
          < ({after_us:Int64}, {after_id:String}, {after_model:String})
  )
ORDER BY converted_at DESC, conversion_id DESC, model DESC
LIMIT {limit:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1, max_threads = 1
