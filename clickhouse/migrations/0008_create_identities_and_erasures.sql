-- Which ids are one person, as it was sent; and what is left of customers who asked to be forgotten.

CREATE TABLE IF NOT EXISTS identities
(
    event_id     String,
    customer_id  String,
    previous_id  String,
    occurred_at  DateTime64(6, 'UTC'),
    traits       Map(LowCardinality(String), String),
    received_at  DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (customer_id, previous_id, occurred_at, event_id);

-- Tells versions of one event apart; the epoch when it was not sent.
ALTER TABLE conversions ADD COLUMN IF NOT EXISTS sent_at DateTime64(6, 'UTC') AFTER received_at;

-- Keyed digests of ids that must not come back: read when a worker starts, so that a replay forgets them as well.
CREATE TABLE IF NOT EXISTS suppressions
(
    digest        String,
    requested_at  DateTime64(6, 'UTC'),
    erased_at     DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(erased_at)
ORDER BY digest;

-- The audit log: that it was done, when, and how much went; nothing that names anybody.
-- run_ids, days: whose daily sums change. A status of 'started' without 'done' is done again when the event is replayed.
CREATE TABLE IF NOT EXISTS erasure_receipts
(
    digest           String,
    requested_at     DateTime64(6, 'UTC'),
    policy           LowCardinality(String),
    status           LowCardinality(String),
    run_ids          Array(UInt32),
    days             Array(Date),
    touchpoints      UInt64,
    conversions      UInt64,
    attributions     UInt64,
    updated_at       DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (digest, requested_at);
