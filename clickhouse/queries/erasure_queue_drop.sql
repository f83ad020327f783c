-- Forgets the ids to forget.
-- queue   name of the table
DROP TABLE IF EXISTS {queue:Identifier} SYNC
