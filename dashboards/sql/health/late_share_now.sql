-- Share of the touches received in the period that happened more than five minutes before. Reads the touchpoints of a month before the period on.
SELECT countIf(received_at > occurred_at + INTERVAL 5 MINUTE) / count() AS late
FROM touchpoints
WHERE $__timeFilter(received_at) AND occurred_at >= $__fromTime - INTERVAL 31 DAY
