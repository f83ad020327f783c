-- How many rows each customer in the queue has, for the receipts.
-- queue   name of the table with their ids
SELECT
    digest,
    sum(t) AS touchpoints,
    sum(k) AS conversions,
    sum(a) AS attributions
FROM
(
    SELECT customer_id, count() AS t, 0 AS k, 0 AS a FROM touchpoints
    WHERE customer_id IN (SELECT customer_id FROM {queue:Identifier}) GROUP BY customer_id
    UNION ALL
    SELECT customer_id, 0, count(), 0 FROM conversions
    WHERE customer_id IN (SELECT customer_id FROM {queue:Identifier}) GROUP BY customer_id
    UNION ALL
    SELECT customer_id, 0, 0, count() FROM attributions
    WHERE customer_id IN (SELECT customer_id FROM {queue:Identifier}) GROUP BY customer_id
) AS counted
INNER JOIN {queue:Identifier} AS asked USING (customer_id)
GROUP BY digest
