-- The most frequent paths behind a position, most conversions first, then by id; and all paths together, those of
-- other pages too, as the row with the id ''. Paths are ranked by their hash, and only then are those of the page
-- read with what they are worth: an amount is rounded once per row, day and currency, as in analytics_credits;
-- without both rates it is in no sum. A conversion without a touch has no step. A path of 'unattributed' alone is no
-- touch: intake and channel rules refuse a channel of that name.
-- run_id            the run
-- start, end        days of the conversion, Date, both inclusive
-- currency          the reporting currency
-- conversion_type   '' for all types
-- fx_max_age_days   oldest rate that still counts
-- channel           only conversions with a touch of this channel; '' for all
-- by_campaign       1: a step is a channel with its campaign; 0: a channel
-- collapse          1: equal steps that follow one another are one
-- has_after         0 for the first page
-- after_conversions, after_id   last path of the page before
-- limit             most paths to return
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
    paths AS
    (
        -- two quick hashes of 64 bits: one alone may be the same for two of some million paths
        SELECT
            day, own, value_micros, touches, channels,
            if({by_campaign:UInt8} = 1, campaigns, []) AS campaigns_shown,
            if(
                {by_campaign:UInt8} = 1,
                if({collapse:UInt8} = 1, arrayCompact(arrayZip(channels, campaigns)), arrayZip(channels, campaigns)),
                []
            ) AS pairs,
            if({collapse:UInt8} = 1, arrayCompact(channels), channels) AS names,
            if({by_campaign:UInt8} = 1, cityHash64(pairs), cityHash64(names)) AS hash_1,
            if({by_campaign:UInt8} = 1, xxHash64(pairs), xxHash64(names)) AS hash_2
        FROM
        (
            SELECT
                toDate(converted_at) AS day, toString(currency) AS own, value_micros,
                if(`t.channel` = ['unattributed'], 0, length(`t.channel`)) AS touches,
                `t.channel` AS channels, `t.campaign` AS campaigns
            FROM attributions FINAL
            WHERE run_id = {run_id:UInt32}
              AND converted_at >= toDateTime64({start:Date}, 6, 'UTC')
              AND converted_at < toDateTime64({end:Date}, 6, 'UTC') + INTERVAL 1 DAY
              AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
              AND ({channel:String} = '' OR has(`t.channel`, {channel:String}))
        )
    ),
    ranked AS
    (
        SELECT hash_1, hash_2
        FROM paths
        WHERE own = {currency:String}
           OR (day, own) IN
              (
                  SELECT day, currency FROM rates
                  WHERE rate > 0 AND day IN (SELECT day FROM rates WHERE currency = {currency:String} AND rate > 0)
              )
        GROUP BY hash_1, hash_2
        HAVING {has_after:UInt8} = 0
            OR count() < {after_conversions:UInt64}
            OR (
                count() = {after_conversions:UInt64}
                AND concat(leftPad(hex(hash_1), 16, '0'), leftPad(hex(hash_2), 16, '0')) > {after_id:String}
            )
        ORDER BY count() DESC, hash_1, hash_2
        LIMIT {limit:UInt32}
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
            shown AS path_id, own, rate_day,
            any(path) AS path, sum(times) AS n, sum(value) AS amount, sum(path_touches) AS all_touches
        FROM
        (
            SELECT
                ranked_id, own, if(own = {currency:String}, toDate(0), day) AS rate_day,
                any((channels, campaigns_shown, touches)) AS path,
                count() AS times, sum(value_micros) AS value, sum(touches) AS path_touches
            FROM
            (
                SELECT
                    day, own, value_micros, touches, channels, campaigns_shown,
                    if(
                        (hash_1, hash_2) IN (SELECT hash_1, hash_2 FROM ranked),
                        concat(leftPad(hex(hash_1), 16, '0'), leftPad(hex(hash_2), 16, '0')),
                        ''
                    ) AS ranked_id
                FROM paths
            )
            GROUP BY ranked_id, own, rate_day
        )
        ARRAY JOIN if(ranked_id = '', [''], [ranked_id, '']) AS shown
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
ORDER BY path_id = '', conversions DESC, path_id
SETTINGS max_threads = 2, do_not_merge_across_partitions_select_final = 1
