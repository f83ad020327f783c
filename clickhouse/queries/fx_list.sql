-- Rates as imported last, oldest day first.
-- currency      '' for all
-- start, end    Date, both inclusive
SELECT day, toString(currency) AS currency, rate, toString(base) AS base, toString(source) AS source, imported_at
FROM fx_rates FINAL
WHERE day BETWEEN {start:Date} AND {end:Date}
  AND ({currency:String} = '' OR currency = {currency:String})
ORDER BY day, currency
