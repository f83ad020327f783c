-- The conversions behind bench_fill_attributions.
-- day, first, n, customers   as there
INSERT INTO conversions (event_id, customer_id, occurred_at, conversion_type, order_id, value_micros, currency, status,
                         received_at)
SELECT
    concat('e', toString(number)),
    concat('customer-', toString(h % {customers:UInt64})),
    toDateTime64({day:Date}, 6, 'UTC') + toIntervalSecond(intDiv((number - {first:UInt64}) * 86400, {n:UInt64})) AS at,
    if(h % 10 < 8, 'purchase', 'lead_created'),
    toString(number),
    toInt64(1000000 + h % 250000000),
    ['USD', 'USD', 'USD', 'EUR', 'GBP'][1 + intDiv(h, 7) % 5],
    'completed',
    at
FROM (SELECT number, sipHash64(number) AS h FROM numbers({first:UInt64}, {n:UInt64}))
