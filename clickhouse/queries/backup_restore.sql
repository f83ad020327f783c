-- Brings a database back under a name that is free.
-- source_database   the database that was copied
-- target_database   its name now
-- backup_name       name on the disk
RESTORE DATABASE source_database AS target_database FROM Disk('backups', 'backup_name')
