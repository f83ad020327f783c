-- The sign by which bench_is_ours knows a database again. No parameters.
CREATE TABLE IF NOT EXISTS made_by_bench_read (at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY at
