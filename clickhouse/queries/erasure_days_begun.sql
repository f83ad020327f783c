-- Days of erasures that were begun, from their receipts: some of their rows may be gone already.
-- digests   of the customers
SELECT DISTINCT pair.1 AS run_id, pair.2 AS day
FROM
(
    SELECT arrayZip(run_ids, days) AS pairs
    FROM erasure_receipts FINAL
    WHERE digest IN {digests:Array(String)} AND status = 'started'
)
ARRAY JOIN pairs AS pair
