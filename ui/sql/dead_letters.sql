-- The newest refused records of the last 90 days; what was sent is in the topic attribution.dead_letter alone.
SELECT failed_at, reason, field, detail, topic, partition, offset, attempts
FROM dead_letters FINAL
ORDER BY failed_at DESC
LIMIT 100
