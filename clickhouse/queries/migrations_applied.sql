-- Applied migrations, in order. No parameters.
SELECT version, name, checksum, applied_at FROM schema_migrations FINAL ORDER BY version
