-- The conversions and corrections of given customers.
-- customers   their ids
SELECT
    customer_id, toUnixTimestamp64Micro(occurred_at) AS at_us, event_id, conversion_type, order_id, value_micros,
    currency, status, adjusts, toUnixTimestamp64Micro(sent_at) AS sent_at_us
FROM conversions FINAL
WHERE customer_id IN {customers:Array(String)}
ORDER BY customer_id
SETTINGS do_not_merge_across_partitions_select_final = 1
