-- Where the disk for backups is; no row: the server has none of that name.
-- -> path, kind
SELECT path, type AS kind FROM system.disks WHERE name = 'backups'
