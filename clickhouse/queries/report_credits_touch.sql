-- report_credits by the day of the touch: what conversions of some days give to touches of a period. Rates are those of
-- the conversion's day; an amount is rounded once per day of the touch, too.
-- run_id            the run
-- days              conversion days
-- start, end        days of the touch, Date, both inclusive
-- model             public model id
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
SELECT
    day,
    channel,
    max(is_usable) AS has_usable,
    sumKahanIf(c, is_usable) AS conversions,
    sumIf(micros, is_usable) AS revenue_micros,
    sumIf(t, is_usable) AS touchpoints,
    groupUniqArrayIf(currency, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(currency, NOT is_usable) AS left_out
FROM
(
    SELECT
        g.day AS day, g.channel AS channel, g.currency AS currency, g.c AS c, g.t AS t,
        g.currency = {currency:String} AS is_same,
        fx.rates[g.currency] AS own_rate,
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
            day, toString(channel) AS channel, toString(currency) AS currency,
            sumKahan(conversions) AS c, sum(value_micros) AS amount, sum(touchpoints) AS t
        FROM rollup_touch_day
        WHERE run_id = {run_id:UInt32}
          AND day IN {days:Array(Date)}
          AND touch_day BETWEEN {start:Date} AND {end:Date}
          AND model = {model:String}
          AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
        -- rounded once per group; amounts of the reporting currency are not rounded, and need fewer groups
        GROUP BY
            day, channel, currency, if(currency = {currency:String}, '', campaign),
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
                WHERE toInt32(day) + {fx_max_age_days:UInt16} >= toInt32(arrayMin({days:Array(Date)}))
                  AND day <= arrayMax({days:Array(Date)})
            )
            ARRAY JOIN range(toUInt32({fx_max_age_days:UInt16}) + 1) AS age
            WHERE toDate(toInt32(published) + age) IN {days:Array(Date)}
            GROUP BY day, currency
        )
        GROUP BY day
    ) AS fx ON fx.day = g.day
)
GROUP BY day, channel
SETTINGS max_threads = 1
