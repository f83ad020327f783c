-- The ids to forget, in memory only.
-- queue   name of the table
CREATE TABLE IF NOT EXISTS {queue:Identifier} (customer_id String, digest String, policy String, salt String) ENGINE = Memory
