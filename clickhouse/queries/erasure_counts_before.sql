-- What the receipts of given customers say already.
-- digests   of the customers
SELECT digest, max(touchpoints) AS touchpoints, max(conversions) AS conversions, max(attributions) AS attributions
FROM erasure_receipts
WHERE digest IN {digests:Array(String)}
GROUP BY digest
