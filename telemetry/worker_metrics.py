"""What a worker shows. Its counts move once per epoch, when its offsets are committed, never per event."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from telemetry.metric import AGE_S, RECORDS, WORK_S, Metric

WorkerMetric: TypeAlias = Literal[
    "attribution_worker_ready",
    "attribution_worker_state",
    "attribution_worker_partitions",
    "attribution_worker_rebalances_total",
    "attribution_worker_restore_records",
    "attribution_worker_restore_total_records",
    "attribution_worker_lag_records",
    "attribution_worker_lag_seconds",
    "attribution_worker_watermark_timestamp_seconds",
    "attribution_worker_commit_timestamp_seconds",
    "attribution_worker_records_total",
    "attribution_worker_events_total",
    "attribution_worker_conversions_total",
    "attribution_worker_duplicates_total",
    "attribution_worker_late_total",
    "attribution_worker_dead_letters_total",
    "attribution_worker_dropped_total",
    "attribution_worker_event_age_seconds",
    "attribution_worker_epoch_records",
    "attribution_worker_epoch_seconds",
    "attribution_worker_reread_epochs_total",
    "attribution_worker_insert_rows_total",
    "attribution_worker_insert_seconds",
    "attribution_worker_insert_retries_total",
    "attribution_worker_conservation_error_micros_total",
    "attribution_worker_store_bytes",
]

STATES: Final = ("starting", "recovering", "ready", "sink_unreachable", "stopping")
STAGES: Final = ("waited", "computed", "durable", "inserted", "committed")
KINDS: Final = ("touchpoint", "conversion", "spend", "identity", "erasure")

WORKER: Final[dict[WorkerMetric, Metric]] = {
    "attribution_worker_ready": Metric(
        "gauge", (), "1", "1 while the worker owns partitions, they are restored, and ClickHouse answers."
    ),
    "attribution_worker_state": Metric(
        "gauge", ("state",), "1", "1 for the state it is in, 0 for the others.", series=tuple((s,) for s in STATES)
    ),
    "attribution_worker_partitions": Metric("gauge", (), "1", "Partition numbers assigned and restored."),
    "attribution_worker_rebalances_total": Metric(
        "counter", (), "1", "Assignments taken over: one at the start, one after each rebalance."
    ),
    "attribution_worker_restore_records": Metric(
        "gauge", (), "records", "Changelog records read back since the last rebalance, over all partitions."
    ),
    "attribution_worker_restore_total_records": Metric(
        "gauge", (), "records", "Changelog records to read back since the last rebalance; equal when all is restored."
    ),
    "attribution_worker_lag_records": Metric(
        "gauge", ("topic", "partition"), "records", "Records at the broker behind the committed offset."
    ),
    "attribution_worker_lag_seconds": Metric(
        "gauge",
        ("topic", "partition"),
        "seconds",
        "Age of the oldest record that is not committed; 0 when all are. Of records that were not fetched yet it is at "
        "least the time since they were first seen at the broker.",
    ),
    "attribution_worker_watermark_timestamp_seconds": Metric(
        "gauge", ("topic", "partition"), "seconds", "Newest event time that is committed, Unix time."
    ),
    "attribution_worker_commit_timestamp_seconds": Metric(
        "gauge", (), "seconds", "When an epoch was committed last, Unix time; 0 before the first."
    ),
    "attribution_worker_records_total": Metric(
        "counter", ("topic",), "records", "Records read and committed, refused ones and duplicates included."
    ),
    "attribution_worker_events_total": Metric(
        "counter",
        ("kind",),
        "events",
        "Records that are events and count, duplicates included.",
        series=tuple((kind,) for kind in KINDS),
    ),
    "attribution_worker_conversions_total": Metric(
        "counter", (), "conversions", "Conversions attributed, again after a correction or a late touch included."
    ),
    "attribution_worker_duplicates_total": Metric(
        "counter", (), "events", "Touchpoints and conversions that changed nothing: known, or beyond what is kept."
    ),
    "attribution_worker_late_total": Metric(
        "counter", ("topic",), "events", "Events older than journeys keep; they are dead letters with reason too_late."
    ),
    "attribution_worker_dead_letters_total": Metric(
        "counter", ("topic", "reason"), "records", "Records written to the dead-letter topic, by where they came from."
    ),
    "attribution_worker_dropped_total": Metric(
        "counter",
        ("reason",),
        "records",
        "Records left out on purpose: of erased customers, returns from a payment.",
        series=(("erased",), ("excluded_referrer",)),
    ),
    "attribution_worker_event_age_seconds": Metric(
        "histogram",
        (),
        "seconds",
        "Time from a record's arrival at the broker until its rows and offset are committed; of up to 16 records of "
        "each chunk, evenly spread, weighted to all of them.",
        AGE_S,
    ),
    "attribution_worker_epoch_records": Metric("histogram", (), "records", "Records of an epoch.", RECORDS),
    "attribution_worker_epoch_seconds": Metric(
        "histogram",
        ("stage",),
        "seconds",
        "Time of an epoch by stage: waited for more records, computed, made durable, inserted, committed.",
        WORK_S,
        tuple((stage,) for stage in STAGES),
    ),
    "attribution_worker_reread_epochs_total": Metric(
        "counter", (), "1", "Epochs that did not continue the chain and were read again."
    ),
    "attribution_worker_insert_rows_total": Metric("counter", ("table",), "rows", "Rows that ClickHouse has taken."),
    "attribution_worker_insert_seconds": Metric(
        "histogram", ("table",), "seconds", "Time of one insert that ClickHouse has taken.", WORK_S
    ),
    "attribution_worker_insert_retries_total": Metric(
        "counter", (), "1", "Times that ClickHouse did not answer an insert and it was tried again."
    ),
    "attribution_worker_conservation_error_micros_total": Metric(
        "counter", (), "micros", "Sum of what the credits of models differ from the values of conversions; must be 0."
    ),
    "attribution_worker_store_bytes": Metric(
        "gauge",
        ("partition", "place"),
        "bytes",
        "Journeys of a partition in RocksDB: place files or memory.",
    ),
}
