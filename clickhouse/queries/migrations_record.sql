-- version    number of the file
-- name       its name
-- checksum   of its text
INSERT INTO schema_migrations (version, name, checksum)
SELECT {version:UInt32}, {name:String}, {checksum:String}
