-- What part each channel has in conversions: role 'first' as the first touch of a path, 'last' as the last one,
-- 'assist' in any place but the last; a conversion counts once for each role of a channel. Role 'none' of the
-- channel 'unattributed': conversions without a touch. An amount is rounded once per channel, role, day and
-- currency, as in analytics_credits; without both rates it is in no sum, and a role that has no others has
-- has_usable = 0. A path of 'unattributed' alone is no touch: intake and channel rules refuse a channel of that
-- name.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- summed, live      which of them are read from path sums, and which from the conversions themselves
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
SELECT
    of_channel,
    role,
    max(is_usable) AS has_usable,
    sumIf(n, is_usable) AS conversions,
    sumIf(micros, is_usable) AS value_micros,
    groupUniqArrayIf(own, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(own, NOT is_usable) AS left_out
FROM
(
    SELECT
        g.of_channel AS of_channel, g.role AS role, g.own AS own, g.n AS n,
        g.own = {currency:String} AS is_same,
        fx.rates[g.own] AS own_rate,
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
        SELECT of_channel, role, own, rate_day, sum(times) AS n, sum(value) AS amount
        FROM
        (
            SELECT
                of_channel, own, if(own = {currency:String}, toDate(0), day) AS rate_day, part,
                sum(times_here) AS times, sum(value_here) AS value
            FROM
            (
                SELECT
                    toString(channels[1]) AS of_channel, toString(currency) AS own, day, toUInt8(number) AS part,
                    conversions AS times_here, value_micros AS value_here
                FROM rollup_paths
                WHERE run_id = {run_id:UInt32} AND day IN {summed:Array(Date)} AND kind = 'channel'
                  AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

                UNION ALL

                SELECT
                    toString(named.1), toString(currency), day, toUInt8(named.2), count(), sum(value_micros)
                FROM conversion_paths
                ARRAY JOIN channel_parts AS named
                WHERE run_id = {run_id:UInt32} AND day IN {live:Array(Date)}
                  AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
                  AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
                  AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
                GROUP BY named, currency, day
            )
            GROUP BY of_channel, own, rate_day, part
        )
        ARRAY JOIN
            arrayFilter(
                name -> name != '',
                if(
                    part = 0, ['none'],
                    [if(bitTest(part, 0), 'first', ''), if(bitTest(part, 1), 'last', ''), if(bitTest(part, 2), 'assist', '')]
                )
            ) AS role
        GROUP BY of_channel, role, own, rate_day
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
            GROUP BY day, currency
        )
        GROUP BY day
    ) AS fx ON fx.day = g.rate_day
)
GROUP BY of_channel, role
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
