-- Which paths may be the most frequent ones behind a position, most conversions first, then by id; for analytics_top_paths.
-- Most paths are rare, and a page holds frequent ones. So of the days with path sums only those paths are counted that had
-- 2^least_grade conversions or more on a day: this is what a path has at least, and the days on which it was rarer (rare_days)
-- say what it has at most. The mark is what as many paths as the page holds have at least; who may reach it is returned. No
-- other path can be on the page if one that was rare on all days cannot reach the mark either; else is_right is 0, and the
-- question has to be asked again with a smaller least_grade. With 0 all paths are counted, and this is always right.
-- Of equal steps in a row a path of path sums knows one, and their number; id is that number unless collapse is 0.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive, 128 at most
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
-- least_grade       see above
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
    usable AS
    (
        SELECT day, currency FROM rates
        WHERE rate > 0 AND day IN (SELECT day FROM rates WHERE currency = {currency:String} AND rate > 0)
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
    candidate.1 AS id,
    candidate.2 AS number,
    arrayFilter(
        day -> rare_most > 0 AND bitAnd(candidate.3, bitShiftLeft(toUInt128(1), day - {start:Date})) = 0,
        {summed:Array(Date)}
    ) AS rare_days,
    is_right
FROM
(
    SELECT
        bitShiftLeft(toUInt64(1), {least_grade:UInt8}) - 1 AS rare_most,
        groupArray((id, number, days, least, most, is_after)) AS first_ones,
        arrayReverseSort(arrayMap(p -> p.4, arrayFilter(p -> p.6, first_ones))) AS least_ones,
        if(length(least_ones) < {limit:UInt32}, 0, least_ones[{limit:UInt32}]) AS mark,
        rare_most = 0
        OR (
            mark > rare_most * length({summed:Array(Date)})
            AND (length(first_ones) < 4 * {limit:UInt32} OR first_ones[-1].5 < mark)
        ) AS is_right,
        if(
            rare_most = 0,
            arraySlice(first_ones, 1, {limit:UInt32}),
            arrayFilter(p -> p.5 >= mark, first_ones)
        ) AS candidates
    FROM
    (
        SELECT
            id,
            any(number_here) AS number,
            groupBitOr(bit) AS days,
            sum(n) AS least,
            least + (bitShiftLeft(toUInt64(1), {least_grade:UInt8}) - 1) * (length({summed:Array(Date)}) - bitCount(days)) AS most,
            {has_after:UInt8} = 0 OR most = least OR most < {after_conversions:UInt64} AS is_after
        FROM
        (
            SELECT id, number AS number_here, n, bitShiftLeft(toUInt128(1), day - {start:Date}) AS bit, day, own
            FROM sums
            WHERE grade >= {least_grade:UInt8}

            UNION ALL

            SELECT id, number, toUInt64(1), toUInt128(0), day, own FROM lives
        )
        WHERE own = {currency:String} OR (day, own) IN (SELECT day, currency FROM usable)
        GROUP BY id
        HAVING {has_after:UInt8} = 0
            OR least < {after_conversions:UInt64}
            OR (least = {after_conversions:UInt64} AND leftPad(hex(id), 16, '0') > {after_id:String})
        ORDER BY most DESC, id
        LIMIT 4 * {limit:UInt32}
    )
)
ARRAY JOIN candidates AS candidate
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
