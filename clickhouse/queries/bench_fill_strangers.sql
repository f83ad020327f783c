-- Touches of the customers of bench_fill_unattributed: of three one has none, one has one long before, one long after.
-- start, end   first and last day
-- customers    how many there are
INSERT INTO touchpoints (event_id, customer_id, occurred_at, channel, campaign, touch_type, received_at)
SELECT
    concat('s', toString(n)), concat('customer-', toString(n)),
    toDateTime64(if(n % 3 = 1, {start:Date} - toIntervalDay(100), {end:Date} + toIntervalDay(2)), 6, 'UTC') AS at,
    'display', '', 'impression', at
FROM (SELECT number * 50 + 7 AS n FROM numbers(intDiv({customers:UInt64} + 42, 50)))
WHERE n % 3 != 0
SETTINGS max_partitions_per_insert_block = 0
