-- Other currencies that have credits or spend in a period: on some days they may have rates, on others not.
-- basis             conversion_day, or touch_day: credits at the day of their touch
-- start, end        Date, both inclusive
-- model             public model id
-- currency          the reporting currency, itself not listed
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
SELECT currency, max(is_usable) AS is_converted, max(NOT is_usable) AS is_left_out
FROM channel_performance_in(
    basis = {basis:String}, start = {start:Date}, end = {end:Date}, model = {model:String},
    conversion_type = {conversion_type:String}, currency = {currency:String},
    max_age_days = {fx_max_age_days:UInt16}
)
WHERE currency != {currency:String}
GROUP BY currency
ORDER BY currency
