-- Results of experiments, as they were reported: kept beside the credit of models. Days are inclusive; numbers in conversions.
CREATE TABLE IF NOT EXISTS lift_tests
(
    test_id           String,
    channel           LowCardinality(String),
    start_date        Date,
    end_date          Date,
    incremental       Float64,
    standard_error    Float64,
    note              String,
    recorded_at       DateTime64(6, 'UTC') DEFAULT now64(6),
    is_deleted        UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(recorded_at, is_deleted)
ORDER BY test_id;
