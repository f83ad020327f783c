-- What each channel earned and cost, by conversion day. Ratios are ratios of sums; NULL where the divisor is 0.
-- start, end        Date, both inclusive
-- model             public model id
-- currency          only amounts in this currency
-- conversion_type   '' for all types
SELECT
    channel,
    sumKahan(c) AS conversions,
    sum(v) AS revenue_micros,
    sum(s) AS spend_micros,
    sum(t) AS touchpoints,
    if(conversions = 0, NULL, toInt64(round(spend_micros / conversions))) AS cpa_micros,
    if(spend_micros = 0, NULL, revenue_micros / spend_micros) AS roas,
    if(spend_micros = 0, NULL, (revenue_micros - spend_micros) / spend_micros) AS roi
FROM
(
    SELECT channel, conversions AS c, value_micros AS v, toInt64(0) AS s, touchpoints AS t
    FROM credits_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
      AND model = {model:String}
      AND currency = {currency:String}
      AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

    UNION ALL

    SELECT channel, toFloat64(0), toInt64(0), spend_micros, toUInt64(0)
    FROM spend_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
      AND currency = {currency:String}

    UNION ALL

    SELECT 'unattributed', toFloat64(0), toInt64(0), toInt64(0), toUInt64(0)
)
GROUP BY channel
ORDER BY revenue_micros DESC, spend_micros DESC, channel
