-- Days of erasures that were begun, from their receipts: some of their rows may be gone already.
-- digests   of the customers
SELECT DISTINCT pair.1 AS run_id, pair.2 AS day
FROM
(
    SELECT arrayZip(run_ids, days) AS pairs
    FROM erasure_receipts
    WHERE digest IN {digests:Array(String)}
)
ARRAY JOIN pairs AS pair
