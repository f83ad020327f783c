-- A customer with conversions: that of the first one of a day.
-- day   the day
SELECT customer_id FROM conversions WHERE toDate(occurred_at) = {day:Date} ORDER BY occurred_at, event_id LIMIT 1
