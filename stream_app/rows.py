"""From a batch to ClickHouse: facts, credits, then the marks that say they are there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from clickhouse import rows
from clickhouse.conservation import error_micros
from clickhouse.erasure import Customer, Eraser
from clickhouse.writer import Result, Writer, with_backoff
from schemas.records import Rejected
from stream_app.batch import Batch
from stream_app.dead_letter_headers import attempts, stage
from stream_app.settings import WorkerSettings
from stream_app.suppression import salt
from stream_app.waiting import SinkWait


class RowWriter:
    """Builds the rows of a batch and inserts them; waits while ClickHouse is away, drops nothing."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        writer: Writer,
        eraser: Eraser,
        clock_us: Callable[[], int],
        is_stopping: Callable[[], bool],
        wait: SinkWait,
        on_error_micros: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings, self._wait, self._on_error_micros = settings, wait, on_error_micros
        self._eraser = eraser
        self._writer, self._clock_us, self._is_stopping = writer, clock_us, is_stopping
        self._newest_us: dict[Any, int] = {}
        self._config_hash = settings.attribution_config().config_hash()

    def write(self, batch: Batch) -> None:
        """Blocking. Raises when the rows are refused, or when the worker stops before they are taken."""
        tables = self.tables(batch)
        self._on_error_micros(error_micros(tables["attributions"]))
        self._patiently(lambda: self._writer.write(tables))
        if batch.erased:
            secret = self._settings.erasure_secret.get_secret_value().encode()
            customers = [
                Customer(e.customer_id, e.digest.hex(), e.requested_at_us, e.policy, salt(e.digest, secret))
                for e in batch.erased
            ]
            self._patiently(lambda: self._eraser.erase(customers))

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        """Until ClickHouse takes it, or the worker stops."""
        found = with_backoff(attempt, sleep=time.sleep, should_stop=self._is_stopping, on_retry=self._wait.renewed)
        self._wait.over()
        return found

    def known_digests(self) -> frozenset[bytes]:
        """Digests of customers who were to be forgotten when the worker started."""
        found = self._patiently(self._eraser.digests)
        return frozenset(bytes.fromhex(digest) for digest in found)

    def tables(self, batch: Batch) -> dict[str, Any]:
        """One Arrow table per ClickHouse table; the writer knows their order."""
        now = self._clock_us()
        run_id = self._settings.run_id
        credits_ = self._settings.window.credits(batch.credits)
        tables = {
            "attributions": rows.attribution_rows(
                credits_, run_id=run_id, config_hash=self._config_hash, emitted_at_us=now
            ),
            "dirty_days": rows.dirty_day_rows(credits_, run_id=run_id),
            "worker_progress": rows.progress_rows(self._settings.group_id, self._progress(batch), run_id=run_id),
        }
        if self._settings.write_facts:
            tables["touchpoints"] = rows.touchpoint_rows(batch.touchpoints, batch.trace_ids)
            tables["conversions"] = rows.conversion_rows(batch.conversions, batch.trace_ids)
            tables["spend"] = rows.spend_rows(batch.spend)
            tables["identities"] = rows.identity_rows(batch.identities)
        if self._settings.write_dead_letters:
            tables["dead_letters"] = rows.dead_letter_rows([dead_letter(r, now) for r in batch.rejected])
        return tables

    def describe_run(self) -> None:
        """Say in ``runs`` with which parameters this run is computed, unless that is known."""
        if not self._settings.describe_run:
            return
        config = self._settings.attribution_config()
        table = rows.run_rows(
            self._settings.run_id,
            label="live" if self._settings.run_id == 1 else self._settings.group_id,
            models=config.models,
            config_hash=self._config_hash,
            config_json=json.dumps(config.as_dict(), sort_keys=True),
            more={
                "status": "complete",
                "source": "topics",
                "group_id": self._settings.group_id,
                "created_us": self._clock_us(),
            },
        )
        self._patiently(lambda: self._writer.write({"runs": table}))

    def _progress(self, batch: Batch) -> list[rows.Progress]:
        """Where the worker is on each partition; the newest event time never goes back."""
        entries = []
        for tp, offset in batch.epoch.end.items():
            newest = max(self._newest_us.get(tp, 0), batch.newest_us.get((tp.topic, tp.partition), 0))
            self._newest_us[tp] = newest
            entries.append(rows.Progress(tp.topic, tp.partition, offset, newest))
        return entries


def dead_letter(item: Rejected, failed_at_us: int) -> rows.DeadLetter:
    """Origin and reason of a rejected record."""
    record = item.record
    return rows.DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=item.reason,
        field=item.field,
        detail=item.detail,
        stage=stage(item.reason),
        recorded_at_us=record.timestamp * 1000,
        failed_at_us=failed_at_us,
        attempts=attempts(record),
    )
