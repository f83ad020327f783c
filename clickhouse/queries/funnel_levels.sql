-- How many persons got how far through steps in order: windowFunnel over touches and live conversions. A person is all
-- ids that links lead between.
-- A conversion counts as it stands in the active run: an order once, at its own time, and not at all when it was refunded in
-- full or cancelled. A touch that was sent again counts once; one id with two times is two touches here.
-- first_us, last_us           when the first step must happen, microseconds, half open
-- window_us                   how long after it the others may come; times 16 it fits UInt64
-- any_touch                   the steps that every touch is, bit n for step n + 1, as in all masks
-- channels, channel_masks     steps by channel
-- types, type_masks           steps by type of touch
-- conversions, conversion_masks   steps by type of conversion; none of the three lists is empty
SELECT level, count() AS customers
FROM
(
    -- Of one time a later step comes first, so that two steps are never of one time; 16 tells 8 steps apart.
    SELECT
        windowFunnel({window_us:UInt64} * 16, 'strict_increase')(
            toUInt64(at_us * 16 + 8 - step),
            step = 0, step = 1, step = 2, step = 3, step = 4, step = 5, step = 6, step = 7
        ) AS level
    FROM
    (
        SELECT if(p.person = '', e.customer_id, p.person) AS person, e.at_us AS at_us, arrayJoin(e.steps) AS step
        FROM
        (
            SELECT
                customer_id, at_us,
                bitPositionsToArray(if(at_us < {last_us:Int64}, mask, bitAnd(mask, toUInt8(254)))) AS steps
            FROM
            (
                SELECT
                    customer_id, toUnixTimestamp64Micro(occurred_at) AS at_us,
                    bitOr(
                        {any_touch:UInt8},
                        bitOr(
                            transform(channel, {channels:Array(String)}, {channel_masks:Array(UInt8)}, toUInt8(0)),
                            transform(touch_type, {types:Array(String)}, {type_masks:Array(UInt8)}, toUInt8(0))
                        )
                    ) AS mask
                FROM touchpoints FINAL
                WHERE occurred_at >= fromUnixTimestamp64Micro({first_us:Int64}, 'UTC')
                  AND occurred_at < fromUnixTimestamp64Micro({last_us:Int64} + toInt64({window_us:UInt64}), 'UTC')

                UNION ALL

                SELECT
                    customer_id, toUnixTimestamp64Micro(converted_at),
                    transform(
                        conversion_type, {conversions:Array(String)}, {conversion_masks:Array(UInt8)}, toUInt8(0)
                    )
                FROM attributions FINAL
                WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
                  AND converted_at >= fromUnixTimestamp64Micro({first_us:Int64}, 'UTC')
                  AND converted_at < fromUnixTimestamp64Micro({last_us:Int64} + toInt64({window_us:UInt64}), 'UTC')
            )
            WHERE mask != 0
        ) AS e
        LEFT JOIN linked_ids AS p ON p.id = e.customer_id
    )
    GROUP BY person
)
GROUP BY level
ORDER BY level
-- a scan: as many threads as the user may have; groups go to disk before they reach the memory a reader has
SETTINGS do_not_merge_across_partitions_select_final = 1, max_bytes_before_external_group_by = 1000000000
