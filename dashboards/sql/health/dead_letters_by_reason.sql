-- Refused records by reason; docs/wire.md says what each means.
SELECT $__timeInterval(failed_at) AS time, toString(reason) AS reason, count() AS records
FROM dead_letters FINAL
WHERE $__timeFilter(failed_at)
GROUP BY time, reason
ORDER BY time, reason
