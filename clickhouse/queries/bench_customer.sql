-- A customer with conversions and touches: that of the first one of a day; every fiftieth has no touch that counts.
-- day   the day
SELECT customer_id
FROM conversions
WHERE toDate(occurred_at) = {day:Date} AND toUInt64(substring(customer_id, 10)) % 50 != 7
ORDER BY occurred_at, event_id
LIMIT 1
