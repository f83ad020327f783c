-- Whether a database has a table of applied migrations, without touching it.
-- database   name
SELECT count() > 0 AS has_table FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'
