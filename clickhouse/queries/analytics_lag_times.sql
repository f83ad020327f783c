-- Which time has which rank among the times from the first, or from the last touch: since 1 or 2, rank as it was asked,
-- seconds. Ranks are within a bucket, as in the view conversion_paths, so that its single seconds are read and no others. A
-- rank behind the last time of a bucket is that one's; a bucket without a time has no row. Conversions without a rate for
-- their amount are left out, as in analytics_time_lag.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- summed, live      which of them are read from path sums, and which from the conversions themselves
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
-- has_left_out      0: there are none without a rate, as analytics_time_lag has told
-- first, last       (bucket, rank in it from 0) of the times since the first and since the last touch
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
    since, bucket, asked.2 AS rank, in_order.1[arrayFirstIndex(u -> u > least(asked.2, upto[-1] - 1), upto)] AS seconds
FROM
(
    SELECT since, bucket, arraySort(groupArray((of_second, n))) AS in_order, arrayCumSum(in_order.2) AS upto
    FROM
    (
        SELECT since, bucket, of_second, sum(times) AS n
        FROM
        (
            SELECT
                toUInt8(if(kind = 'first_lag', 1, 2)) AS since, grade AS bucket, toUInt32(number) AS of_second,
                conversions AS times, day, currency AS own
            FROM rollup_paths
            WHERE run_id = {run_id:UInt32} AND day IN {summed:Array(Date)}
              AND (
                  (kind = 'first_lag' AND grade IN (SELECT arrayJoin({first:Array(Tuple(UInt8, UInt64))}).1))
                  OR (kind = 'last_lag' AND grade IN (SELECT arrayJoin({last:Array(Tuple(UInt8, UInt64))}).1))
              )
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

            UNION ALL

            SELECT toUInt8(lag.1), toUInt8(lag.2), lag.3, toUInt64(1), day, currency
            FROM conversion_paths
            ARRAY JOIN [(1, first_bucket, first_lag_s), (2, last_bucket, last_lag_s)] AS lag
            WHERE run_id = {run_id:UInt32} AND day IN {live:Array(Date)}
              AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
              AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
              AND (
                  (lag.1 = 1 AND lag.2 IN (SELECT arrayJoin({first:Array(Tuple(UInt8, UInt64))}).1))
                  OR (lag.1 = 2 AND lag.2 IN (SELECT arrayJoin({last:Array(Tuple(UInt8, UInt64))}).1))
              )
        )
        WHERE {has_left_out:UInt8} = 0
           OR own = {currency:String}
           OR (day, own) IN
              (
                  SELECT day, currency FROM rates
                  WHERE rate > 0 AND day IN (SELECT day FROM rates WHERE currency = {currency:String} AND rate > 0)
              )
        GROUP BY since, bucket, of_second
    )
    GROUP BY since, bucket
)
ARRAY JOIN
    arrayFilter(
        pair -> pair.1 = bucket,
        if(since = 1, {first:Array(Tuple(UInt8, UInt64))}, {last:Array(Tuple(UInt8, UInt64))})
    ) AS asked
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
