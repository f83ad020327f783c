-- Which ids are one person, as links were sent. No parameters.
SELECT toUnixTimestamp64Micro(occurred_at) AS at_us, event_id, previous_id, customer_id
FROM identities FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
