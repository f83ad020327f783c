-- lock   name of the table
DROP TABLE IF EXISTS {lock:Identifier} SYNC
