-- Daily sums, recomputed for dirty days and swapped in; never added to, because a retried insert would count twice.

-- Writers mark a (run, day) after its rows are visible. marked_at is the server's clock at the insert.
CREATE TABLE IF NOT EXISTS dirty_days
(
    run_id     UInt32,
    day        Date,
    marked_at  DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(marked_at)
ORDER BY (run_id, day);

-- built_mark is the newest mark that was visible before the day was built: a day is dirty while a newer one exists.
CREATE TABLE IF NOT EXISTS rollup_state
(
    run_id      UInt32,
    day         Date,
    built_mark  DateTime64(6, 'UTC'),
    built_at    DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(built_at)
ORDER BY (run_id, day);

-- One row: every mark set before as_of is in the rollups.
CREATE TABLE IF NOT EXISTS rollup_pass
(
    id           UInt8,
    as_of        DateTime64(6, 'UTC'),
    finished_at  DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(finished_at)
ORDER BY id;

-- One partition per run and day, so that a day is swapped by REPLACE PARTITION.
CREATE TABLE IF NOT EXISTS rollup_day
(
    run_id           UInt32,
    day              Date,
    model            LowCardinality(String),
    channel          LowCardinality(String),
    campaign         String,
    currency         LowCardinality(String),
    conversion_type  LowCardinality(String),
    conversions      Float64,
    value_micros     Int64,
    touchpoints      UInt64
)
ENGINE = MergeTree
PARTITION BY (run_id, day)
ORDER BY (model, channel, campaign, currency, conversion_type);
