-- Made-up credits of one day for `attribution bench read`: paths of 1 to 10 touches up to 30 days back, 12 channels with
-- 5 campaigns each (some channels and campaigns much larger than others), 3 currencies, 2 types, 2 conversions a customer.
-- Values are split with the rest on the last touch: every model's credits sum to the value.
-- day         the day
-- first, n    numbers of its conversions: first up to first + n - 1
-- customers   how many customers there are
INSERT INTO attributions
    (run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models,
     `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weights`, `t.value_micros`, config_hash, rev, emitted_at)
SELECT
    1,
    concat('purchase:', toString(number)),
    concat('customer-', toString(h % {customers:UInt64})),
    if(h % 10 < 8, 'purchase', 'lead_created'),
    at,
    micros,
    ['USD', 'USD', 'USD', 'EUR', 'GBP'][1 + intDiv(h, 7) % 5],
    arrayMap(s -> s.1, shares),
    arrayMap(i -> concat(toString(number), '-', toString(i)), steps),
    arrayMap(i -> at - toIntervalSecond((touches - i) * (h % 260000) + 1), steps),
    arrayMap(k -> ['paid_search', 'organic_search', 'direct', 'email', 'paid_social', 'organic_social', 'display',
                   'affiliate', 'referral', 'video', 'sms', 'push'][1 + intDiv(k * k, 144)], picks),
    arrayMap((k, i) -> concat('campaign-', toString(intDiv(k * k, 144)), '-', toString((k + i) % 5)), picks, steps),
    arrayMap(i -> arrayMap(s -> s.2[i], shares), steps),
    arrayMap(i -> arrayMap(p -> p[i] + if(i = touches, micros - arraySum(p), 0), parts), steps),
    'bench',
    1,
    now64(3)
FROM
(
    SELECT
        number,
        sipHash64(number) AS h,
        toDateTime64({day:Date}, 6, 'UTC') + toIntervalSecond(intDiv((number - {first:UInt64}) * 86400, {n:UInt64})) AS at,
        1 + intDiv(h, 1000) % 10 AS touches,
        range(1, touches + 1) AS steps,
        arrayMap(i -> sipHash64(number, i) % 41, steps) AS picks,
        toInt64(1000000 + h % 250000000) AS micros,
        arrayMap(i -> pow(2., i), steps) AS decay,
        arrayMap(i -> if(i IN (1, touches), 4., 1.), steps) AS u,
        arrayMap(i -> if(i IN (1, touches, intDiv(touches, 2) + 1), 3., 1.), steps) AS w,
        [
            ('first_touch', arrayMap(i -> toFloat64(i = 1), steps)),
            ('last_touch', arrayMap(i -> toFloat64(i = touches), steps)),
            ('linear', arrayMap(i -> 1. / touches, steps)),
            ('time_decay', arrayMap(x -> x / arraySum(decay), decay)),
            ('u_shaped', arrayMap(x -> x / arraySum(u), u)),
            ('w_shaped', arrayMap(x -> x / arraySum(w), w)),
            ('inverse_j', arrayMap(i -> toFloat64(touches + 1 - i) / arraySum(steps), steps))
        ] AS shares,
        arrayMap(s -> arrayMap(x -> toInt64(floor(micros * x)), s.2), shares) AS parts
    FROM numbers({first:UInt64}, {n:UInt64})
)
