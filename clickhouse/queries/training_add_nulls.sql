-- Journeys that ended in nothing: touches that no live conversion credits, one person's in the order of their times, cut
-- where the next one came more than closed_us later; such a journey is over closed_us after its last touch, and counts if
-- that is in the period. So nobody who has ever converted is left out (a later lost journey of a buyer counts), a late
-- conversion takes its touches out of here, and a refund gives them back.
-- stage, run_id; start_us, end_us; closed_us; types: as for the conversions; excluded: channels in lower case
INSERT INTO {stage:Identifier}
WITH
    {closed_us:Int64} AS closed,
    credited AS
    (
        SELECT DISTINCT cityHash64(arrayJoin(`t.id`)) AS touch
        FROM attributions FINAL
        WHERE
            run_id = {run_id:UInt32}
            AND converted_at >= fromUnixTimestamp64Micro(greatest(0, {start_us:Int64} - 2 * closed), 'UTC')
            AND (empty({types:Array(String)}) OR has({types:Array(String)}, conversion_type))
        SETTINGS do_not_merge_across_partitions_select_final = 1
    ),
    uncredited AS
    (
        SELECT
            customer_id,
            tuple(toUnixTimestamp64Micro(occurred_at), event_id, channel) AS touch
        FROM touchpoints FINAL
        WHERE
            occurred_at >= fromUnixTimestamp64Micro(greatest(0, {start_us:Int64} - 2 * closed), 'UTC')
            AND occurred_at < fromUnixTimestamp64Micro({end_us:Int64}, 'UTC')
            AND NOT has({excluded:Array(String)}, lowerUTF8(channel))
            AND cityHash64(event_id) NOT IN (SELECT touch FROM credited)
    )
SELECT
    reinterpretAsUInt64(substring(SHA256(person), 1, 8)),
    arrayMap(touch -> touch.3, journey),
    arrayMap(touch -> touch.1, journey),
    0
FROM
(
    SELECT
        if(linked.person = '', uncredited.customer_id, linked.person) AS person,
        arraySort(groupArray(touch)) AS touches
    FROM uncredited
    LEFT JOIN linked_ids AS linked ON linked.id = uncredited.customer_id
    GROUP BY person
)
ARRAY JOIN
    arraySplit(
        (touch, before) -> touch.1 - before.1 > closed,
        touches,
        arrayConcat([touches[1]], arrayPopBack(touches))
    ) AS journey
WHERE
    journey[-1].1 + closed >= {start_us:Int64}
    AND journey[-1].1 + closed < {end_us:Int64}
SETTINGS do_not_merge_across_partitions_select_final = 1
