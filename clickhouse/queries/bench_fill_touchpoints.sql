-- The touchpoints behind bench_fill_attributions, read from it: nothing can differ.
-- day   day of the conversions
INSERT INTO touchpoints (event_id, customer_id, occurred_at, channel, campaign, touch_type, received_at)
SELECT touchpoint_id, customer_id, touched_at, channel, campaign, 'click', touched_at
FROM credits
WHERE toDate(converted_at) = {day:Date} AND model = 'linear'
SETTINGS max_partitions_per_insert_block = 0
