-- What the workers have done and what they refused.

-- offset is the next one to be read; watermark_us the newest event time seen on that partition.
CREATE TABLE IF NOT EXISTS worker_progress
(
    run_id        UInt32,
    app           LowCardinality(String),
    topic         LowCardinality(String),
    partition     UInt32,
    offset        Int64,
    watermark_us  Int64,
    updated_at    DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (run_id, app, topic, partition);

-- Origin and reason only: key and value stay on the dead letter topic, so personal data is kept in one place.
CREATE TABLE IF NOT EXISTS dead_letters
(
    topic        LowCardinality(String),
    partition    UInt32,
    offset       Int64,
    reason       LowCardinality(String),
    field        LowCardinality(String),
    detail       String,
    stage        LowCardinality(String),
    recorded_at  DateTime64(3, 'UTC'),
    failed_at    DateTime64(3, 'UTC'),
    attempts     UInt32
)
ENGINE = ReplacingMergeTree(failed_at)
ORDER BY (topic, partition, offset)
TTL toDateTime(failed_at) + INTERVAL 90 DAY;
