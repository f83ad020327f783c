-- Users of a ClickHouse server; run as its administrator. Replace each CHANGE_ME, for instance by sha256 of a long
-- random text: CREATE USER … IDENTIFIED WITH sha256_hash BY '…'. The databases of workspaces are attribution_<name>,
-- hence the prefix. Nobody is granted SOURCES, so url(), file(), s3(), remote() and the like are refused.

CREATE SETTINGS PROFILE IF NOT EXISTS attribution_reads SETTINGS
    readonly = 2,
    max_execution_time = 15 MIN 1 MAX 15,
    max_memory_usage = 2000000000 MAX 2000000000,
    max_rows_to_read = 2000000000 MAX 2000000000,
    max_result_rows = 1000000 MAX 1000000,
    max_result_bytes = 500000000 MAX 500000000,
    result_overflow_mode = 'throw' CONST,
    read_overflow_mode = 'throw' CONST,
    timeout_overflow_mode = 'throw' CONST,
    max_concurrent_queries_for_user = 32 CONST,
    max_threads = 4 MAX 8,
    allow_ddl = 0 CONST,
    allow_introspection_functions = 0 CONST;

CREATE QUOTA IF NOT EXISTS attribution_reads KEYED BY user_name
    FOR INTERVAL 1 minute MAX queries = 20000, errors = 2000, execution_time = 600;

CREATE USER IF NOT EXISTS attribution_reader IDENTIFIED WITH sha256_password BY 'CHANGE_ME_reader'
    SETTINGS PROFILE 'attribution_reads';
GRANT SELECT ON attribution*.* TO attribution_reader;
GRANT SELECT ON system.parts TO attribution_reader; -- of its own tables only: the API asks whether anything was written
ALTER QUOTA attribution_reads TO attribution_reader;

-- Workers, the roller and erasures: rows and partitions, no tables.
CREATE USER IF NOT EXISTS attribution_writer IDENTIFIED WITH sha256_password BY 'CHANGE_ME_writer';
GRANT SELECT, INSERT, ALTER DELETE, ALTER UPDATE, ALTER MATERIALIZE COLUMN, OPTIMIZE, TRUNCATE ON attribution*.* TO attribution_writer;
GRANT CREATE TABLE, DROP TABLE ON attribution*.* TO attribution_writer; -- the locks and stages of the roller
GRANT SELECT ON system.tables TO attribution_writer;
GRANT SELECT ON system.mutations TO attribution_writer;
GRANT SELECT ON system.parts TO attribution_writer;

-- `attribution migrate` and `attribution workspace create`.
CREATE USER IF NOT EXISTS attribution_migrator IDENTIFIED WITH sha256_password BY 'CHANGE_ME_migrator';
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER, SELECT, INSERT, TRUNCATE ON attribution*.* TO attribution_migrator;
GRANT SELECT ON system.tables TO attribution_migrator;
