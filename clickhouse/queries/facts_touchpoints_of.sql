-- The touches of given customers.
-- customers   their ids
SELECT customer_id, toUnixTimestamp64Micro(occurred_at) AS at_us, event_id, channel, campaign
FROM touchpoints FINAL
WHERE customer_id IN {customers:Array(String)}
ORDER BY customer_id
SETTINGS do_not_merge_across_partitions_select_final = 1
