-- What each channel gets in two runs under one model, by currency, from the daily sums: fast at any size.
-- Channels that get nothing in both are left out.
-- a, b         the runs
-- model        public model id
-- start, end   conversion days, both inclusive
SELECT
    toString(channel) AS channel,
    toString(currency) AS currency,
    sumIf(value_micros, run_id = {a:UInt32}) AS value_a,
    sumIf(value_micros, run_id = {b:UInt32}) AS value_b,
    sumKahanIf(conversions, run_id = {a:UInt32}) AS conversions_a,
    sumKahanIf(conversions, run_id = {b:UInt32}) AS conversions_b
FROM rollup_day
WHERE run_id IN ({a:UInt32}, {b:UInt32})
  AND day BETWEEN {start:Date} AND {end:Date}
  AND model = {model:String}
GROUP BY channel, currency
HAVING value_a != 0 OR value_b != 0 OR conversions_a != 0 OR conversions_b != 0
ORDER BY currency, greatest(value_a, value_b) DESC, channel
