-- The touchpoints behind bench_fill_attributions, read from it: nothing can differ.
-- day   day of the conversions
INSERT INTO touchpoints (event_id, customer_id, occurred_at, channel, campaign, touch_type, received_at)
SELECT touchpoint_id, customer_id, touched_at, channel, campaign, 'click', touched_at
FROM
(
    SELECT customer_id, `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns
    FROM attributions FINAL
    WHERE run_id = 1 AND toDate(converted_at) = {day:Date} AND `t.id` != ['']
)
ARRAY JOIN ids AS touchpoint_id, ats AS touched_at, channels AS channel, campaigns AS campaign
SETTINGS max_partitions_per_insert_block = 0
