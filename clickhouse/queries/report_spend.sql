-- What each channel cost, in one currency, with what that leaves out and the newest day up to the end with spend of the
-- channel. Converted like report_credits, at the rates of the day of the spend.
-- start, end        Date, both inclusive
-- currency          the reporting currency
-- fx_max_age_days   oldest rate that still counts
SELECT
    channel,
    max(NOT is_old AND is_usable) AS has_usable,
    sumIf(micros, NOT is_old AND is_usable) AS spend_micros,
    groupUniqArrayIf(currency, NOT is_old AND is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(currency, NOT is_old AND NOT is_usable) AS left_out,
    max(day) AS spend_through
FROM
(
    SELECT
        g.day AS day, g.channel AS channel, g.currency AS currency, g.is_old AS is_old,
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
            spend_date AS day, toString(channel) AS channel, toString(currency) AS currency, campaign,
            sum(cost_micros) AS amount, false AS is_old
        FROM spend FINAL
        WHERE spend_date BETWEEN {start:Date} AND {end:Date}
        GROUP BY day, channel, currency, campaign

        UNION ALL

        -- without FINAL: a replaced row has the same day
        SELECT max(spend_date), toString(channel), '', '', toInt64(0), true
        FROM spend
        WHERE spend_date < {start:Date}
        GROUP BY channel
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
    ) AS fx ON fx.day = g.day
)
GROUP BY channel
SETTINGS max_threads = 1, do_not_merge_across_partitions_select_final = 1
