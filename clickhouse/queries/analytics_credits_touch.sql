-- analytics_credits by the day of the touch. Rates are those of the conversion's day; an amount is rounded once per day of
-- the touch, too.
-- start, end        days of the touch, Date, both inclusive
-- models            public model ids
-- currency          the reporting currency
-- conversion_type   '' for all types
-- bucket            'day', 'week' (from Monday), 'month', or '' for the whole period
-- by_campaign       1 keeps campaigns apart
-- fx_max_age_days   oldest rate that still counts
SELECT
    of_model,
    shown,
    of_channel,
    if({by_campaign:UInt8} = 1, of_campaign, '') AS campaign,
    max(is_usable) AS has_usable,
    sumKahanIf(weight, is_usable) AS conversions,
    sumIf(micros, is_usable) AS revenue_micros,
    sumIf(touches, is_usable) AS touchpoints,
    groupUniqArrayIf(of_currency, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(of_currency, NOT is_usable) AS left_out
FROM
(
    SELECT
        g.of_model AS of_model, g.shown AS shown, g.of_channel AS of_channel, g.of_campaign AS of_campaign,
        g.of_currency AS of_currency, g.weight AS weight, g.touches AS touches,
        g.of_currency = {currency:String} AS is_same,
        fx.rates[g.of_currency] AS own_rate,
        fx.rates[{currency:String}] AS target_rate,
        is_same OR (own_rate > 0 AND target_rate > 0) AS is_usable,
        if(own_rate > 0, own_rate, toInt256(1)) AS divisor,
        toInt256(g.amount) * target_rate AS product,
        intDiv(product, divisor) AS whole,
        toInt256(abs(product - whole * divisor)) * 2 AS twice_rest,
        if(
            is_same,
            toInt256(g.amount),
            whole + if(twice_rest > divisor OR (twice_rest = divisor AND whole % 2 != 0), sign(product), 0)
        ) AS micros
    FROM
    (
        SELECT
            toString(model) AS of_model,
            multiIf(
                {bucket:String} = 'day', touch_day,
                {bucket:String} = 'week', toMonday(touch_day),
                {bucket:String} = 'month', toStartOfMonth(touch_day),
                {start:Date}
            ) AS shown,
            if(currency = {currency:String}, toDate(0), day) AS rate_day,
            toString(channel) AS of_channel,
            if(currency = {currency:String} AND {by_campaign:UInt8} = 0, '', campaign) AS of_campaign,
            toString(currency) AS of_currency,
            sumKahan(conversions) AS weight,
            sum(value_micros) AS amount,
            sum(touchpoints) AS touches
        FROM credits_by_touch_day
        -- a touch is never after its conversion: days before start hold nothing
        WHERE touch_day BETWEEN {start:Date} AND {end:Date} AND day >= {start:Date}
         AND model IN {models:Array(String)}
          AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
        -- amounts of the reporting currency are not rounded, and need fewer groups
        GROUP BY
            of_model, shown, rate_day, of_channel, of_campaign, of_currency,
            if(currency = {currency:String}, toDate(0), touch_day)
    ) AS g
    LEFT JOIN
    (
        SELECT day, CAST((groupArray(currency), groupArray(rate)), 'Map(String, Int256)') AS rates
        FROM
        (
            SELECT
                toDate(toInt32(published) + age) AS day,
                pair.1 AS currency,
                -- units of 10^-18, exact
                toInt256(toDecimal256(argMax(pair.2, (published, version)), 18) * toDecimal256('1e18', 0)) AS rate
            FROM
            (
                SELECT
                    day AS published, version,
                    arrayJoin([(toString(currency), rate), (toString(base), toDecimal128(1, 18))]) AS pair
                FROM fx_rates
                WHERE toInt32(day) + {fx_max_age_days:UInt16} >= toInt32({start:Date})
            )
            ARRAY JOIN range(toUInt32({fx_max_age_days:UInt16}) + 1) AS age
            GROUP BY day, currency
        )
        GROUP BY day
    ) AS fx ON fx.day = g.rate_day
)
GROUP BY of_model, shown, of_channel, campaign
SETTINGS max_threads = 2
