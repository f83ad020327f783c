-- Copies a database as it is at one moment; a table is copied by links to its files where the disk can.
-- source_database   the database
-- backup_name       name on the disk
BACKUP DATABASE source_database TO Disk('backups', 'backup_name')
