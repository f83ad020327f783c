-- Days of all runs that hold rows of the customers in the queue.
-- queue   name of the table with their ids
SELECT DISTINCT run_id, toDate(converted_at) AS day
FROM attributions
WHERE customer_id IN (SELECT customer_id FROM {queue:Identifier})
