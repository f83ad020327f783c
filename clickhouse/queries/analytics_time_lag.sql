-- Conversions by the time from their first and from their last touch, and what they are worth: each pair of buckets, as in
-- the view conversion_paths. An amount is rounded once per pair, day and currency, as in analytics_credits; without both
-- rates it is in no sum, and a pair that has no others has has_usable = 0.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- summed, live      which of them are read from path sums, and which from the conversions themselves
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
WITH
    rates AS
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
SELECT
    intDiv(pair, 100) AS since_first,
    pair % 100 AS since_last,
    max(is_usable) AS has_usable,
    sumIf(n, is_usable) AS conversions,
    sumIf(micros, is_usable) AS value_micros,
    groupUniqArrayIf(own, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(own, NOT is_usable) AS left_out
FROM
(
    SELECT
        g.pair AS pair, g.own AS own, g.n AS n,
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
            pair, own, if(own = {currency:String}, toDate(0), day) AS rate_day,
            sum(times) AS n, sum(value) AS amount
        FROM
        (
            SELECT day, toString(currency) AS own, number AS pair, conversions AS times, value_micros AS value
            FROM rollup_paths
            WHERE run_id = {run_id:UInt32} AND day IN {summed:Array(Date)} AND kind = 'lag'
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

            UNION ALL

            SELECT
                day, toString(currency), toUInt64(first_bucket * 100 + last_bucket), toUInt64(1), value_micros
            FROM conversion_paths
            WHERE run_id = {run_id:UInt32} AND day IN {live:Array(Date)}
              AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
              AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
        )
        GROUP BY pair, own, rate_day
    ) AS g
    LEFT JOIN
    (
        SELECT day, CAST((groupArray(currency), groupArray(rate)), 'Map(String, Int256)') AS rates
        FROM rates
        GROUP BY day
    ) AS fx ON fx.day = g.rate_day
)
GROUP BY pair
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
