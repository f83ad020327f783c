-- What each channel earned and cost, in one currency, with what that leaves out: channel_performance,
-- currencies_in_period and spend_through in one read. A channel whose amounts have no rate at all has has_usable = 0.
-- basis             conversion_day, or touch_day: credits at the day of their touch
-- start, end        Date, both inclusive
-- model             public model id
-- currency          the reporting currency; amounts without a rate are left out
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
SELECT
    r.channel AS channel, r.has_usable AS has_usable, r.conversions AS conversions, r.revenue_micros AS revenue_micros,
    r.spend_micros AS spend_micros, r.touchpoints AS touchpoints, r.converted AS converted, r.left_out AS left_out,
    if(s.newest = toDate(0), NULL, s.newest) AS spend_through
FROM
(
    SELECT
        channel,
        max(u) AS has_usable,
        sumKahanIf(c, u) AS conversions,
        sumIf(v, u) AS revenue_micros,
        sumIf(s, u) AS spend_micros,
        sumIf(t, u) AS touchpoints,
        groupUniqArrayIf(currency, u AND currency != {currency:String}) AS converted,
        groupUniqArrayIf(currency, NOT u) AS left_out
    FROM
    (
        SELECT
            channel, currency, toBool(is_usable) AS u, conversions AS c, ifNull(value_micros, 0) AS v,
            ifNull(spend_micros, 0) AS s, touchpoints AS t
        FROM channel_performance_in(
            basis = {basis:String}, start = {start:Date}, end = {end:Date}, model = {model:String},
            conversion_type = {conversion_type:String}, currency = {currency:String},
            max_age_days = {fx_max_age_days:UInt16}
        )

        UNION ALL

        SELECT
            'unattributed', {currency:String}, toBool(1), toFloat64(0), toInt256(0), toInt256(0), toUInt64(0)
    )
    GROUP BY channel
) AS r
LEFT JOIN
(
    -- without FINAL: a replaced row has the same day
    SELECT toString(channel) AS channel, max(spend_date) AS newest
    FROM spend
    WHERE spend_date <= {end:Date}
    GROUP BY channel
) AS s ON s.channel = r.channel
ORDER BY revenue_micros DESC, spend_micros DESC, channel
