"""What a worker counts: once per epoch when it is committed, at events of its life, and when somebody asks.

Nothing here is called per record: an epoch costs a few dictionary accesses per topic partition, reason and table.
Writing to a metric never fails an epoch.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from faust.types import TP
from mode import get_logger

from schemas.records import RawRecord
from stream_app.batch import Batch, Stages
from stream_app.lag import Lag
from stream_app.readiness import Readiness
from telemetry.metrics import Labels, Metrics
from telemetry.worker_metrics import STATES, WORKER, WorkerMetric

logger = get_logger(__name__)

#: Records of a chunk whose age is looked at.
SAMPLES: Final = 16
#: Between two looks at what has to be asked for.
LOOK_EVERY_S: Final = 5.0
_PLACES: Final = ("files", "memory")


class Lags(Protocol):
    """The lag reader, see ``stream_app.lag``."""

    def look(self) -> None:
        """Ask the broker."""

    def lags(self, now_ms: int) -> dict[TP, Lag]:
        """Of all partitions."""
        ...


class WorkerMeter:
    """The counts of one worker.

    Args:
        clock_us: wall clock, microseconds.
    """

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self.metrics: Metrics[WorkerMetric] = Metrics(WORKER, "worker")
        self._clock_us = clock_us
        self._watermarks: dict[tuple[str, str], float] = {}

    def epoch(self, batch: Batch, stages: Stages) -> None:
        """An epoch is committed."""
        now_us, metrics = self._clock_us(), self.metrics
        metrics.put("attribution_worker_commit_timestamp_seconds", now_us / 1e6)
        metrics.observe("attribution_worker_epoch_records", len(batch.epoch))
        for stage, seconds in stages._asdict().items():
            metrics.observe("attribution_worker_epoch_seconds", seconds, stage)
        for tp, records in batch.epoch.chunks.items():
            metrics.add("attribution_worker_records_total", tp.topic, by=len(records))
            for record, weight in sampled(records):
                age_s = max(0.0, now_us / 1e6 - record.timestamp / 1e3)
                metrics.observe("attribution_worker_event_age_seconds", age_s, weight=weight)
        for kind, count in batch.event_counts().items():
            metrics.add("attribution_worker_events_total", kind, by=count)
        metrics.add("attribution_worker_conversions_total", by=len(batch.credits))
        metrics.add("attribution_worker_duplicates_total", by=batch.duplicates)
        self._rejected(batch)
        for (topic, partition), newest_us in batch.newest_us.items():
            labels = (topic, str(partition))
            self._watermarks[labels] = max(self._watermarks.get(labels, 0.0), newest_us / 1e6)
            metrics.put("attribution_worker_watermark_timestamp_seconds", self._watermarks[labels], *labels)

    def _rejected(self, batch: Batch) -> None:
        for (topic, reason, is_drop), count in Counter(
            (item.record.topic, item.reason, item.is_drop) for item in batch.rejected
        ).items():
            if is_drop:
                self.metrics.add("attribution_worker_dropped_total", reason, by=count)
                continue
            self.metrics.add("attribution_worker_dead_letters_total", topic, reason, by=count)
            if reason == "too_late":
                self.metrics.add("attribution_worker_late_total", topic, by=count)

    def reread(self) -> None:
        """An epoch did not continue the chain."""
        self.metrics.add("attribution_worker_reread_epochs_total")

    def rebalanced(self) -> None:
        """Partitions are taken over."""
        self.metrics.add("attribution_worker_rebalances_total")

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        """ClickHouse has taken rows."""
        self.metrics.add("attribution_worker_insert_rows_total", table, by=rows)
        self.metrics.observe("attribution_worker_insert_seconds", seconds, table)

    def insert_retried(self) -> None:
        """ClickHouse was away once more."""
        self.metrics.add("attribution_worker_insert_retries_total")

    def conservation_error(self, micros: int) -> None:
        """Credits of an epoch differ from the values that they divide; said, and shown until the process ends."""
        if micros:
            logger.error("Credits differ from values by %d micros in this epoch: see docs/operations.md", micros)
            self.metrics.add("attribution_worker_conservation_error_micros_total", by=micros)

    def watch_readiness(self, readiness: Readiness) -> None:
        """State, partitions and the restore, when somebody asks."""

        def ask() -> None:
            state = readiness.state
            self.metrics.put("attribution_worker_ready", state == "ready")
            self.metrics.put("attribution_worker_partitions", len(readiness.partitions or ()))
            for name in STATES:
                self.metrics.put("attribution_worker_state", name == state, name)
            restored = readiness.restored.values()
            self.metrics.put("attribution_worker_restore_records", sum(f["records"] for f in restored))
            self.metrics.put("attribution_worker_restore_total_records", sum(f["total"] for f in restored))

        self.metrics.watch(ask)

    def watch_broker_and_store(self, lags: Lags, sizes: Callable[[], Mapping[int, tuple[int, int]]]) -> None:
        """Lag and sizes, asked every ``LOOK_EVERY_S`` in a thread of its own, since brokers may keep one waiting.

        Args:
            lags: the lag reader.
            sizes: bytes in files and in memory, by partition.
        """

        def look() -> None:
            lags.look()
            found: dict[Labels, float] = {
                (str(p), place): b for p, both in sizes().items() for place, b in zip(_PLACES, both, strict=True)
            }
            self.metrics.replace("attribution_worker_store_bytes", found)

        def ask() -> None:
            found = lags.lags(self._clock_us() // 1_000).items()
            named: dict[Labels, Lag] = {(tp.topic, str(tp.partition)): lag for tp, lag in found}
            self.metrics.replace("attribution_worker_lag_records", {k: lag.records for k, lag in named.items()})
            self.metrics.replace("attribution_worker_lag_seconds", {k: lag.seconds for k, lag in named.items()})

        self.metrics.watch(ask)
        threading.Thread(target=_repeat, args=(look,), name="metrics-look", daemon=True).start()


def sampled(records: Any) -> list[tuple[RawRecord, float]]:
    """At most ``SAMPLES`` records, evenly spread, the first and the last among them, each with its weight."""
    count = len(records)
    if count <= SAMPLES:
        return [(record, 1.0) for record in records]
    last = SAMPLES - 1
    return [(records[i * (count - 1) // last], count / SAMPLES) for i in range(SAMPLES)]


def _repeat(look: Callable[[], None]) -> None:
    wait = threading.Event()
    while True:
        try:
            look()
        except Exception:
            logger.exception("Metrics: a look failed; it is tried again")
        wait.wait(LOOK_EVERY_S)
