-- Links that name one of some ids.
-- customers   the ids
SELECT toUnixTimestamp64Micro(occurred_at) AS at_us, event_id, previous_id, customer_id
FROM identities FINAL
WHERE customer_id IN {customers:Array(String)} OR previous_id IN {customers:Array(String)}
SETTINGS do_not_merge_across_partitions_select_final = 1, max_threads = 1
