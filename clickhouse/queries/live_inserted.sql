-- What was inserted into the active run from a time on, one entry per insert: its time, and a digest that changes with the
-- rows that are visible. The time of the server is of before the rows were looked at. One row.
-- from_us      from this time on; 0: the last overlap_us
-- overlap_us   how long an insert may take to become visible
WITH
    (SELECT argMax(run_id, switched_at) FROM active_run) AS active,
    toUnixTimestamp64Micro(now64(6)) AS seen_us
SELECT
    active AS run_id,
    seen_us AS now_us,
    (
        SELECT groupArray((stamp, digest))
        FROM
        (
            SELECT
                toUnixTimestamp64Micro(inserted_at) AS stamp,
                groupBitXor(sipHash64(conversion_id, rev, is_deleted)) AS digest
            FROM attributions
            WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
              AND inserted_at >= fromUnixTimestamp64Micro(
                  if({from_us:Int64} = 0, toUnixTimestamp64Micro(now64(6)) - {overlap_us:Int64}, {from_us:Int64}), 'UTC')
            GROUP BY stamp
            ORDER BY stamp
        )
    ) AS inserts
SETTINGS max_threads = 1
