-- Journeys that ended in a live conversion of the period: the touches that were eligible for it. None: an empty path.
-- stage, run_id; start_us, end_us: microseconds since the epoch, end not included; types: of conversions, none for all
INSERT INTO {stage:Identifier}
SELECT
    reinterpretAsUInt64(substring(SHA256(if(linked.person = '', found.customer_id, linked.person)), 1, 8)),
    if(`t.id` = [''], [], `t.channel`),
    if(`t.id` = [''], [], arrayMap(at -> toUnixTimestamp64Micro(at), `t.at`)),
    1
FROM attributions AS found FINAL
LEFT JOIN linked_ids AS linked ON linked.id = found.customer_id
WHERE
    run_id = {run_id:UInt32}
    AND converted_at >= fromUnixTimestamp64Micro({start_us:Int64}, 'UTC')
    AND converted_at < fromUnixTimestamp64Micro({end_us:Int64}, 'UTC')
    AND (empty({types:Array(String)}) OR has({types:Array(String)}, conversion_type))
SETTINGS do_not_merge_across_partitions_select_final = 1
