-- The touches of one bucket of customers, customer by customer.
-- bucket, buckets   which one of how many
SELECT customer_id, toUnixTimestamp64Micro(occurred_at) AS at_us, event_id, channel, campaign
FROM touchpoints FINAL
WHERE cityHash64(customer_id) % {buckets:UInt32} = {bucket:UInt32}
ORDER BY customer_id
SETTINGS do_not_merge_across_partitions_select_final = 1
