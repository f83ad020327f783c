-- Given paths with what they are worth, most conversions first, then by id; and before them all paths together, those of other
-- pages too, as the row with the id ''. An amount is rounded once per row, day and currency, as in analytics_credits;
-- without both rates it is in no sum. A conversion without a touch has no step.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- summed, live      which of them are read from path sums, and which from the conversions themselves
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
-- channel           only conversions with a touch of this channel; '' for all
-- by_campaign       1: a step is a channel with its campaign; 0: a channel
-- collapse          1: equal steps that follow one another are one
-- has_after         0 for the first page
-- after_conversions, after_id   last path of the page before
-- limit             most paths to return
-- ids, numbers      of the paths, from analytics_top_path_ids
-- least_grade       with which that was right
-- rare_days, rare_numbers   pairs of a day and a number: where a path was rarer than that
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
    ),
    sums AS
    (
        SELECT
            day, currency AS own, grade, number, conversions AS n, value_micros AS amount, touches AS all_touches,
            channels, campaigns,
            multiIf(
                {collapse:UInt8} = 1, number,
                {by_campaign:UInt8} = 1, cityHash64(channels, campaigns),
                cityHash64(channels)
            ) AS id
        FROM rollup_paths
        WHERE run_id = {run_id:UInt32} AND day IN {summed:Array(Date)}
          AND kind = if({by_campaign:UInt8} = 1, 'campaign_path', 'channel_path')
          AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
          AND ({channel:String} = '' OR has(channels, {channel:String}))
    ),
    lives AS
    (
        SELECT
            day, currency AS own, value_micros AS amount, touches AS all_touches, channels,
            if({by_campaign:UInt8} = 1, campaigns, []) AS campaigns_shown,
            if({by_campaign:UInt8} = 1, campaign_path, channel_path) AS number,
            multiIf(
                {collapse:UInt8} = 1, number,
                {by_campaign:UInt8} = 1, cityHash64(channels, campaigns),
                cityHash64(channels)
            ) AS id
        FROM conversion_paths
        WHERE run_id = {run_id:UInt32} AND day IN {live:Array(Date)}
          AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
          AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
          AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
          AND ({channel:String} = '' OR has(channels, {channel:String}))
    )
SELECT
    path_id,
    arrayMap(name -> toString(name), arraySlice(any(path).1, 1, any(path).3)) AS channels_shown,
    any(path).2 AS campaigns_shown,
    max(is_usable) AS has_usable,
    sumIf(n, is_usable) AS conversions,
    sumIf(micros, is_usable) AS value_micros,
    sumIf(g_touches, is_usable) AS all_touches,
    groupUniqArrayIf(own, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(own, NOT is_usable) AS left_out
FROM
(
    SELECT
        g.path_id AS path_id, g.path AS path, g.own AS own, g.n AS n, g.all_touches AS g_touches,
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
            if(is_path, leftPad(hex(shown), 16, '0'), '') AS path_id, toString(own_here) AS own, rate_day,
            any(path_here) AS path, sum(times) AS n, sum(value) AS amount, sum(path_touches) AS all_touches
        FROM
        (
            SELECT
                1 AS is_path, id AS shown, own AS own_here, if(own = {currency:String}, toDate(0), day) AS rate_day,
                any((channels, campaigns, if(all_touches > 0, length(channels), 0))) AS path_here,
                sum(n) AS times, sum(amount) AS value, sum(all_touches) AS path_touches
            FROM
            (
                SELECT day, own, id, n, amount, all_touches, channels, campaigns
                FROM sums
                WHERE grade >= {least_grade:UInt8} AND number IN {numbers:Array(UInt64)}

                UNION ALL

                SELECT day, own, id, n, amount, all_touches, channels, campaigns
                FROM sums
                WHERE grade < {least_grade:UInt8}
                  AND (day, number) IN (SELECT arrayJoin(arrayZip({rare_days:Array(Date)}, {rare_numbers:Array(UInt64)})))
            )
            WHERE id IN {ids:Array(UInt64)}
            GROUP BY id, own, rate_day

            UNION ALL

            SELECT
                part AS is_path, if(is_path, id, 0) AS shown, own AS own_here,
                if(own = {currency:String}, toDate(0), day) AS rate_day,
                any((channels, campaigns_shown, if(all_touches > 0, length(channels), 0))),
                count(), sum(amount), sum(all_touches)
            FROM lives
            ARRAY JOIN if(id IN {ids:Array(UInt64)}, [0, 1], [0]) AS part
            GROUP BY is_path, shown, own_here, rate_day

            UNION ALL

            -- all of them together
            SELECT
                0, 0 AS shown, currency AS own_here, if(own_here = {currency:String}, toDate(0), day) AS rate_day,
                any((channels, campaigns, 0)),
                sum(conversions), sum(value_micros), sum(touches)
            FROM rollup_paths
            WHERE run_id = {run_id:UInt32} AND day IN {summed:Array(Date)}
              AND kind = if({channel:String} = '', 'length', 'channel')
              AND ({channel:String} = '' OR channels = [{channel:String}])
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
            GROUP BY shown, own_here, rate_day
        )
        GROUP BY path_id, own, rate_day
    ) AS g
    LEFT JOIN
    (
        SELECT day, CAST((groupArray(currency), groupArray(rate)), 'Map(String, Int256)') AS rates
        FROM rates
        GROUP BY day
    ) AS fx ON fx.day = g.rate_day
)
GROUP BY path_id
HAVING path_id = ''
    OR {has_after:UInt8} = 0
    OR conversions < {after_conversions:UInt64}
    OR (conversions = {after_conversions:UInt64} AND path_id > {after_id:String})
ORDER BY path_id != '', conversions DESC, path_id
LIMIT {limit:UInt32} + 1
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
