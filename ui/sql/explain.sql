-- conversion_id: whose credits, under every model; the values of a model sum to the value of the conversion
SELECT
    model,
    position,
    touchpoint_id,
    channel,
    weight,
    value_micros / 1e6 AS value
FROM credits
WHERE conversion_id = {conversion_id:String}
ORDER BY model, position
