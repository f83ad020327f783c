-- Spend by day, channel and campaign, converted as report_spend does it.
-- start, end        Date, both inclusive
-- currency          the reporting currency
-- bucket            'day', 'week' (from Monday), 'month', or '' for the whole period
-- by_campaign       1 keeps campaigns apart
-- fx_max_age_days   oldest rate that still counts
SELECT
    shown,
    of_channel,
    if({by_campaign:UInt8} = 1, of_campaign, '') AS campaign,
    max(is_usable) AS has_usable,
    sumIf(micros, is_usable) AS spend_micros,
    groupUniqArrayIf(of_currency, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(of_currency, NOT is_usable) AS left_out
FROM
(
    SELECT
        multiIf(
            {bucket:String} = 'day', g.spent,
            {bucket:String} = 'week', toMonday(g.spent),
            {bucket:String} = 'month', toStartOfMonth(g.spent),
            {start:Date}
        ) AS shown,
        g.of_channel AS of_channel, g.of_campaign AS of_campaign, g.of_currency AS of_currency,
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
            spend_date AS spent, toString(channel) AS of_channel, campaign AS of_campaign,
            toString(currency) AS of_currency, sum(cost_micros) AS amount
        FROM spend FINAL
        WHERE spend_date BETWEEN {start:Date} AND {end:Date}
        GROUP BY spent, of_channel, of_campaign, of_currency
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
                WHERE toInt32(day) + {fx_max_age_days:UInt16} >= toInt32({start:Date}) AND day <= {end:Date}
            )
            ARRAY JOIN range(toUInt32({fx_max_age_days:UInt16}) + 1) AS age
            WHERE toInt32(published) + age
                BETWEEN toInt32({start:Date}) AND toInt32({end:Date})
            GROUP BY day, currency
        )
        GROUP BY day
    ) AS fx ON fx.day = g.spent
)
GROUP BY shown, of_channel, campaign
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
