-- start   first day
-- days    how many
INSERT INTO fx_rates (day, currency, rate, base, version)
SELECT {start:Date} + intDiv(number, 2), if(number % 2 = 0, 'USD', 'GBP'), if(number % 2 = 0, 1.08, 0.85), 'EUR', 1
FROM numbers(2 * {days:UInt64})
