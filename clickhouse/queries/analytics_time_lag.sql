-- Conversions by the time from their first and from their last touch, in one row. buckets: of each pair of buckets
-- the conversions and what they are worth; a bucket is the number of bounds that the time reaches, 0 without a
-- touch. An amount is rounded once per pair, day and currency, as in analytics_credits; without both rates it is in
-- nothing of this. Times are whole seconds, cut. Quantiles interpolate linearly between the two nearest times
-- (Hyndman and Fan 1996, type 7). A path of 'unattributed' alone is no touch: intake and channel rules refuse a
-- channel of that name.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
-- bounds_s          lower ends of the buckets in seconds, ascending, the first one 0
SELECT
    groupArrayIf((since_first, since_last, n, micros), n > 0) AS buckets,
    quantilesExactInclusiveMerge(0.25, 0.5, 0.75, 0.9, 0.95)(first_state) AS first_s,
    quantilesExactInclusiveMerge(0.25, 0.5, 0.75, 0.9, 0.95)(last_state) AS last_s,
    groupUniqArrayArray(converted_here) AS converted,
    groupUniqArrayArray(left_out_here) AS left_out
FROM
(
    SELECT
        since_first, since_last,
        sumIf(n_here, is_usable) AS n,
        sumIf(micros_here, is_usable) AS micros,
        quantilesExactInclusiveMergeStateIf(0.25, 0.5, 0.75, 0.9, 0.95)(first_lags, is_usable) AS first_state,
        quantilesExactInclusiveMergeStateIf(0.25, 0.5, 0.75, 0.9, 0.95)(last_lags, is_usable) AS last_state,
        groupUniqArrayIf(own, is_usable AND NOT is_same) AS converted_here,
        groupUniqArrayIf(own, NOT is_usable) AS left_out_here
    FROM
    (
        SELECT
            g.since_first AS since_first, g.since_last AS since_last, g.own AS own, g.n AS n_here,
            g.first_lags AS first_lags, g.last_lags AS last_lags,
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
            ) AS micros_here
        FROM
        (
            SELECT
                if(touches = 0, 0, arrayCount(bound -> first_lag >= bound, {bounds_s:Array(UInt32)})) AS since_first,
                if(touches = 0, 0, arrayCount(bound -> last_lag >= bound, {bounds_s:Array(UInt32)})) AS since_last,
                own, if(own = {currency:String}, toDate(0), day) AS rate_day,
                count() AS n, sum(value_micros) AS amount,
                quantilesExactInclusiveStateIf(0.25, 0.5, 0.75, 0.9, 0.95)(first_lag, touches > 0) AS first_lags,
                quantilesExactInclusiveStateIf(0.25, 0.5, 0.75, 0.9, 0.95)(last_lag, touches > 0) AS last_lags
            FROM
            (
                SELECT
                    toDate(converted_at) AS day, toString(currency) AS own, value_micros,
                    if(`t.channel` = ['unattributed'], 0, length(`t.channel`)) AS touches,
                    toUnixTimestamp64Micro(converted_at) AS at_us,
                    toUInt32(intDiv(greatest(at_us - toUnixTimestamp64Micro(`t.at`[1]), 0), 1000000)) AS first_lag,
                    toUInt32(intDiv(greatest(at_us - toUnixTimestamp64Micro(`t.at`[-1]), 0), 1000000)) AS last_lag
                FROM attributions FINAL
                WHERE run_id = {run_id:UInt32}
                  AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
                  AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
                  AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
            )
            GROUP BY since_first, since_last, own, rate_day
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
    GROUP BY since_first, since_last
)
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
