-- Conversions by the number of their eligible touches (0: none was eligible), and in each what they are worth: an
-- amount is rounded once per number, day and currency, as in analytics_credits; without both rates it is in no sum,
-- and a number that has no others has has_usable = 0. A path of 'unattributed' alone is no touch: intake and channel
-- rules refuse a channel of that name.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- summed, live      which of them are read from path sums, and which from the conversions themselves
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
-- longest           this many touches, or more, count as one
SELECT
    of_length,
    max(is_usable) AS has_usable,
    sumIf(n, is_usable) AS conversions,
    sumIf(micros, is_usable) AS value_micros,
    sumIf(g_touches, is_usable) AS all_touches,
    groupUniqArrayIf(own, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(own, NOT is_usable) AS left_out
FROM
(
    SELECT
        g.of_length AS of_length, g.own AS own, g.n AS n, g.all_touches AS g_touches,
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
        SELECT
            least(touches, {longest:UInt32}) AS of_length, own, if(own = {currency:String}, toDate(0), day) AS rate_day,
            sum(times) AS n, sum(micros) AS amount, sum(all_touches) AS all_touches
        FROM
        (
            SELECT
                day, toString(currency) AS own, number AS touches, conversions AS times, value_micros AS micros,
                rollup_paths.touches AS all_touches
            FROM rollup_paths
            WHERE run_id = {run_id:UInt32} AND day IN {summed:Array(Date)} AND kind = 'length'
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

            UNION ALL

            SELECT
                day, toString(currency), toUInt64(touches), toUInt64(1), value_micros, toUInt64(touches)
            FROM conversion_paths
            WHERE run_id = {run_id:UInt32} AND day IN {live:Array(Date)}
              AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
              AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
        )
        GROUP BY of_length, own, rate_day
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
GROUP BY of_length
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
