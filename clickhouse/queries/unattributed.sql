-- Conversions of the active run that no touch could claim, by reason, type and bucket. The reason is that of the touch that
-- got furthest, by the tests in this order: after_conversion, outside_lookback, excluded_channel, before_reset; a touch that
-- passes all of them is one that the run does not have: not_counted. no_touch: the person has none at all.
-- Amounts are converted as in analytics_credits: rounded once per day, type, reason and currency; without both rates in no sum.
-- start, end         days of the conversion, Date, both inclusive
-- currency           the reporting currency
-- conversion_type    '' for all types
-- bucket             'day', 'week' (from Monday) or 'month'
-- fx_max_age_days    oldest rate that still counts
-- lookback_us        of the run, microseconds
-- excluded           channels that the run excludes, as they are written in touches
-- resets             conversion types that end a journey; resets_since: the first day of those that matter, at most start
SELECT
    shown, of_type, reason,
    max(is_usable) AS has_usable,
    sumIf(found, is_usable) AS conversions,
    sumIf(micros, is_usable) AS value_micros,
    groupUniqArrayIf(of_currency, is_usable AND NOT is_same) AS converted,
    groupUniqArrayIf(of_currency, NOT is_usable) AS left_out
FROM
(
    SELECT
        multiIf(
            {bucket:String} = 'week', toMonday(g.day), {bucket:String} = 'month', toStartOfMonth(g.day), g.day
        ) AS shown,
        g.of_type AS of_type, g.reason AS reason, g.of_currency AS of_currency, g.found AS found,
        g.of_currency = {currency:String} AS is_same,
        fx.rates[g.of_currency] AS own_rate,
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
            day, of_type, of_currency, count() AS found, sum(amount) AS amount,
            ['no_touch', 'after_conversion', 'outside_lookback', 'excluded_channel', 'before_reset', 'not_counted'][
                furthest + 1
            ] AS reason
        FROM
        (
            SELECT
                conversion_id, any(day) AS day, any(of_type) AS of_type, any(of_currency) AS of_currency,
                any(amount) AS amount, max(stage) AS furthest
            FROM
            (
                -- of contents that came under one touch id the smallest counts, as in a journey
                SELECT
                    u.conversion_id AS conversion_id, t.event_id AS touch_id, any(u.day) AS day, any(u.of_type) AS of_type,
                    any(u.of_currency) AS of_currency, any(u.amount) AS amount,
                    min((t.at, t.channel, t.campaign)) AS touch,
                    multiIf(
                        touch_id = '', 0,
                        touch.1 > any(u.at), 1,
                        touch.1 < any(u.at) - {lookback_us:Int64}, 2,
                        has({excluded:Array(String)}, touch.2), 3,
                        touch.1 <= any(u.reset_at), 4,
                        5
                    ) AS stage
                FROM
                (
                    SELECT conversion_id, person, at, day, of_type, of_currency, amount, reset_at
                    FROM
                    (
                        SELECT
                            c.conversion_id AS conversion_id, c.at AS at, c.day AS day, c.of_type AS of_type,
                            c.of_currency AS of_currency, c.amount AS amount, c.is_meant AS is_meant,
                            if(p.person = '', c.customer_id, p.person) AS person,
                            max(if(c.is_reset, c.at, toInt64(-1))) OVER (
                                PARTITION BY person ORDER BY at, conversion_id
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                            ) AS reset_at_or_0,
                            if(reset_at_or_0 = 0, toInt64(-1), reset_at_or_0) AS reset_at
                        FROM
                        (
                            SELECT
                                customer_id, conversion_id, toUnixTimestamp64Micro(converted_at) AS at,
                                toDate(converted_at) AS day, toString(conversion_type) AS of_type,
                                toString(currency) AS of_currency, value_micros AS amount,
                                has({resets:Array(String)}, of_type) AS is_reset,
                                day >= {start:Date} AND `t.id` = [''] AND `t.channel` = ['unattributed']
                                AND {conversion_type:String} IN ('', of_type) AS is_meant
                            FROM attributions FINAL
                            WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
                              AND toDate(converted_at) BETWEEN {resets_since:Date} AND {end:Date}
                        ) AS c
                        LEFT JOIN linked_ids AS p ON p.id = c.customer_id
                        WHERE c.is_meant OR c.is_reset
                    )
                    WHERE is_meant
                ) AS u
                LEFT JOIN
                (
                    SELECT
                        if(p.person = '', e.customer_id, p.person) AS person, e.event_id AS event_id,
                        toUnixTimestamp64Micro(e.occurred_at) AS at, toString(e.channel) AS channel, e.campaign AS campaign
                    FROM
                    (
                        SELECT customer_id, event_id, occurred_at, channel, campaign
                        FROM touchpoints FINAL
                        -- linked ids are few, and whose they are is only known behind the join
                        WHERE customer_id IN
                        (
                            SELECT customer_id
                            FROM attributions FINAL
                            WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
                              AND toDate(converted_at) BETWEEN {start:Date} AND {end:Date}
                              AND `t.id` = [''] AND `t.channel` = ['unattributed']

                            UNION ALL

                            SELECT arrayJoin([previous_id, customer_id]) FROM identities
                        )
                    ) AS e
                    LEFT JOIN linked_ids AS p ON p.id = e.customer_id
                ) AS t ON t.person = u.person
                GROUP BY conversion_id, touch_id
            )
            GROUP BY conversion_id
        )
        GROUP BY day, of_type, of_currency, reason
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
    ) AS fx ON fx.day = g.day
)
GROUP BY shown, of_type, reason
ORDER BY shown, of_type, reason
-- a scan: as many threads as the user may have; groups go to disk before they reach the memory a reader has
SETTINGS do_not_merge_across_partitions_select_final = 1, max_bytes_before_external_group_by = 1000000000
