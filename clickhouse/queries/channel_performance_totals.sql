-- The sums over all channels, unattributed included, with the ratios of these sums.
-- basis             conversion_day, or touch_day: credits at the day of their touch
-- start, end        Date, both inclusive
-- model             public model id
-- currency          the reporting currency; amounts without a rate are left out, see currencies_in_period
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
SELECT
    sumKahan(c) AS conversions,
    sum(v) AS revenue_micros,
    sum(s) AS spend_micros,
    sum(t) AS touchpoints,
    if(conversions = 0, NULL, toInt64(round(spend_micros / conversions))) AS cpa_micros,
    if(spend_micros = 0, NULL, revenue_micros / spend_micros) AS roas,
    if(spend_micros = 0, NULL, (revenue_micros - spend_micros) / spend_micros) AS roi
FROM
(
    SELECT conversions AS c, assumeNotNull(value_micros) AS v, assumeNotNull(spend_micros) AS s, touchpoints AS t
    FROM channel_performance_in(
        basis = {basis:String}, start = {start:Date}, end = {end:Date}, model = {model:String},
        conversion_type = {conversion_type:String}, currency = {currency:String},
        max_age_days = {fx_max_age_days:UInt16}
    )
    WHERE is_usable
)
