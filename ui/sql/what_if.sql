-- a, b: ids of the runs; start, end: days; model: its id
SELECT
    channel,
    currency,
    sumIf(value_micros, run_id = {a:UInt32}) / 1e6 AS value_a,
    sumIf(value_micros, run_id = {b:UInt32}) / 1e6 AS value_b,
    value_b - value_a AS difference
FROM rollup_day
WHERE run_id IN ({a:UInt32}, {b:UInt32})
  AND day BETWEEN {start:Date} AND {end:Date}
  AND model = {model:String}
GROUP BY channel, currency
ORDER BY abs(difference) DESC
