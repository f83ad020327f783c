-- Credits: one row per (run_id, model, conversion_id) with parallel arrays over its touches, so that a correction
-- replaces all credits of a conversion at once. The row with the highest rev wins; is_deleted = 1 removes.
-- Reads without FINAL are wrong: use the views.

-- The key is built for a day of a model (rollups, reports). A customer's rows are found by the bloom filter:
-- a conversion can move to another customer when identities are merged, so a lookup through a second table keyed by
-- customer would need its own corrections, and a projection is not usable with FINAL.
CREATE TABLE IF NOT EXISTS attributions
(
    run_id           UInt32,
    model            LowCardinality(String),
    conversion_id    String,
    customer_id      String,
    conversion_type  LowCardinality(String),
    converted_at     DateTime64(6, 'UTC'),
    value_micros     Int64,
    currency         LowCardinality(String),
    `t.id`           Array(String),
    `t.at`           Array(DateTime64(6, 'UTC')),
    `t.channel`      Array(LowCardinality(String)),
    `t.campaign`     Array(String),
    `t.weight`       Array(Float64),
    `t.value_micros` Array(Int64),
    fallback         LowCardinality(String) DEFAULT '',
    truncated        UInt8 DEFAULT 0,
    config_hash      LowCardinality(String),
    rev              UInt64,
    is_deleted       UInt8 DEFAULT 0,
    emitted_at       DateTime64(3, 'UTC'),
    INDEX customer_id_bloom customer_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(rev, is_deleted)
PARTITION BY (run_id, toYYYYMM(converted_at))
ORDER BY (run_id, model, toDate(converted_at), conversion_id);

-- A run is one set of parameters; a replay writes beside the live run under a new run_id.
CREATE TABLE IF NOT EXISTS runs
(
    run_id       UInt32,
    label        String,
    models       Array(LowCardinality(String)),
    config_hash  LowCardinality(String),
    config       String,
    updated_at   DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY run_id;

-- One row: the run that the views show.
CREATE TABLE IF NOT EXISTS active_run
(
    id           UInt8,
    run_id       UInt32,
    switched_at  DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(switched_at)
ORDER BY id;

-- Dated at the epoch: repeating these changes nothing, and any later row wins.
INSERT INTO runs (run_id, label, models, config_hash, config, updated_at) VALUES (1, 'live', [], '', '{}', 0);

INSERT INTO active_run (id, run_id, switched_at) VALUES (1, 1, 0);
