-- Exchange rates as they were published, in units of 10^-18 as text; the base has 1 on each of those days.
-- start, end        Date, both inclusive
-- fx_max_age_days   oldest rate that still counts: days before start that are read as well
SELECT
    published,
    pair.1 AS of_currency,
    toString(toInt256(toDecimal256(argMax(pair.2, version), 18) * toDecimal256('1e18', 0))) AS units
FROM
(
    SELECT
        day AS published, version,
        arrayJoin([(toString(currency), rate), (toString(base), toDecimal128(1, 18))]) AS pair
    FROM fx_rates
    WHERE toInt32(day) + {fx_max_age_days:UInt16} >= toInt32({start:Date}) AND day <= {end:Date}
)
GROUP BY published, of_currency
ORDER BY of_currency, published
SETTINGS max_threads = 1
