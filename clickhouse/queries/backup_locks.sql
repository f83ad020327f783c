-- Locks that were held when a database was copied; nobody holds them in what came back.
-- database   name
-- -> name
SELECT name FROM system.tables WHERE database = {database:String} AND engine = 'Null' AND endsWith(name, '_lock')
