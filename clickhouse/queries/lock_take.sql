-- Creating a table either succeeds for one caller or fails with TABLE_ALREADY_EXISTS: that is the lock.
-- lock   name of the table
CREATE TABLE {lock:Identifier} (held UInt8) ENGINE = Null
