-- Refused records, counted. No parameters.
SELECT topic, reason, stage, count() AS records, max(failed_at) AS last_failed_at
FROM dead_letters FINAL
GROUP BY topic, reason, stage
ORDER BY records DESC, topic, reason, stage
