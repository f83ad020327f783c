-- customer_id: whose credits; model: its id
SELECT
    converted_at,
    conversion_id,
    position,
    touched_at,
    channel,
    campaign,
    weight,
    value_micros / 1e6 AS value
FROM credits
WHERE customer_id = {customer_id:String}
  AND model = {model:String}
ORDER BY converted_at, conversion_id, position
