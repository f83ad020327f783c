-- Every fiftieth customer's conversions again without a touch, as a correction writes them: bench_fill_touchpoints then finds
-- none. These customers get one touch each that cannot count, see bench_fill_strangers.
-- day   day of the conversions
INSERT INTO attributions
    (run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models,
     `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weights`, `t.value_micros`, config_hash, rev, emitted_at)
SELECT
    run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models,
    [''], [converted_at], ['unattributed'], [''],
    [arrayMap(m -> 1., models)], [arrayMap(m -> value_micros, models)], config_hash, 2, emitted_at
FROM attributions
WHERE run_id = 1 AND rev = 1 AND toDate(converted_at) = {day:Date}
  AND toUInt64(substring(customer_id, 10)) % 50 = 7
