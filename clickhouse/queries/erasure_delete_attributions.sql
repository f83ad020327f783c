-- Removes the customers in the queue; answers when the parts are rewritten.
-- queue   name of the table with their ids
ALTER TABLE attributions DELETE WHERE customer_id IN (SELECT customer_id FROM {queue:Identifier}) SETTINGS mutations_sync = 2
