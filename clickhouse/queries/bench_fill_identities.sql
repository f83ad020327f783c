-- A former id for every tenth customer.
-- start       day of the links
-- customers   how many customers there are
INSERT INTO identities (event_id, customer_id, previous_id, occurred_at, received_at)
SELECT
    concat('i', toString(number)), concat('customer-', toString(number * 10)), concat('device-', toString(number)),
    toDateTime64({start:Date}, 6, 'UTC') AS at, at
FROM numbers(intDiv({customers:UInt64} + 9, 10))
