-- The most frequent paths behind a position, most conversions first, then by id; and all paths together, those of other pages
-- too, as the row with the id ''. Paths are ranked by their hash, and only then are those of the page read with what they
-- are worth: an amount is rounded once per row, day and currency, as in analytics_credits; without both rates it is in no
-- sum. A conversion without a touch has no step.
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
        SELECT
            day, own, value_micros, touches,
            if({collapse:UInt8} = 1, arrayCompact(every_step), every_step) AS steps,
            sipHash128(steps) AS path_hash
        FROM
        (
            SELECT
                toDate(converted_at) AS day, toString(currency) AS own, value_micros,
                if(`t.channel` = ['unattributed'] AND `t.id` = [''], 0, length(`t.channel`)) AS touches,
                if(
                    touches = 0,
                    [],
                    if(
                        {by_campaign:UInt8} = 1,
                        arrayZip(`t.channel`, `t.campaign`),
                        arrayMap(name -> (name, ''), `t.channel`)
                    )
                ) AS every_step
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
        SELECT path_hash
        FROM paths
        WHERE own = {currency:String}
           OR (day, own) IN
              (
                  SELECT day, currency FROM rates
                  WHERE rate > 0 AND day IN (SELECT day FROM rates WHERE currency = {currency:String} AND rate > 0)
              )
        GROUP BY path_hash
        HAVING {has_after:UInt8} = 0
            OR count() < {after_conversions:UInt64}
            OR (count() = {after_conversions:UInt64} AND hex(path_hash) > {after_id:String})
        ORDER BY count() DESC, path_hash
        LIMIT {limit:UInt32}
    )
SELECT
    path_id,
    any(path) AS steps_shown,
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
                any(if(ranked_id = '', [], arrayMap(step -> (toString(step.1), step.2), steps))) AS path,
                count() AS times, sum(value_micros) AS value, sum(touches) AS path_touches
            FROM
            (
                SELECT
                    day, own, value_micros, touches, steps,
                    if(path_hash IN (SELECT path_hash FROM ranked), hex(path_hash), '') AS ranked_id
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
