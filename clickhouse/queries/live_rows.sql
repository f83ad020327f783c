-- Rows of a run in the order of their inserts, behind a position: every version of a conversion that the engine still holds.
-- Rows that an erasure made anonymous have no customer and are left out.
-- run_id                            the run
-- stamps                            only inserts of these times, in microseconds; empty: all
-- from_us                           only inserts from this time on
-- after_us, after_id, after_rev, after_deleted   last row before: time of its insert, conversion, rev, whether deleted
-- limit                             most rows to return
SELECT
    toUnixTimestamp64Micro(inserted_at) AS stamp_us,
    conversion_id, rev, is_deleted, customer_id, toString(conversion_type) AS conversion_type, converted_at,
    value_micros, toString(currency) AS currency, arrayMap(m -> toString(m), models) AS models,
    `t.id` AS ids, `t.at` AS ats, arrayMap(c -> toString(c), `t.channel`) AS channels, `t.campaign` AS campaigns,
    `t.weights` AS weights, `t.value_micros` AS micros, toString(config_hash) AS config_hash, emitted_at
FROM attributions
WHERE run_id = {run_id:UInt32}
  AND customer_id != ''
  AND inserted_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')
  AND (empty({stamps:Array(Int64)}) OR toUnixTimestamp64Micro(inserted_at) IN {stamps:Array(Int64)})
  AND (toUnixTimestamp64Micro(inserted_at), conversion_id, rev, is_deleted)
      > ({after_us:Int64}, {after_id:String}, {after_rev:UInt64}, {after_deleted:UInt8})
ORDER BY stamp_us, conversion_id, rev, is_deleted
LIMIT {limit:UInt32}
SETTINGS max_threads = 1
