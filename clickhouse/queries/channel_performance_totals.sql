-- The sums over all channels, unattributed included, with the ratios of these sums.
-- start, end        Date, both inclusive
-- model             public model id
-- currency          only amounts in this currency
-- conversion_type   '' for all types
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
    SELECT conversions AS c, value_micros AS v, toInt64(0) AS s, touchpoints AS t
    FROM credits_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
      AND model = {model:String}
      AND currency = {currency:String}
      AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

    UNION ALL

    SELECT toFloat64(0), toInt64(0), spend_micros, toUInt64(0)
    FROM spend_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
      AND currency = {currency:String}
)
