-- Share of touches that the broker got more than five minutes after they happened, and more than a day. Reads the touchpoints of a month before the period on.
SELECT
    $__timeInterval(received_at) AS time,
    countIf(received_at > occurred_at + INTERVAL 5 MINUTE) / count() AS "Over 5 minutes",
    countIf(received_at > occurred_at + INTERVAL 1 DAY) / count() AS "Over a day"
FROM touchpoints
WHERE $__timeFilter(received_at) AND occurred_at >= $__fromTime - INTERVAL 31 DAY
GROUP BY time
ORDER BY time
