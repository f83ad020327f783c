"""The way of an event: decode → journeys → attribute → rows → sink → commit.

One epoch at a time, strictly in this order; a failure anywhere stops the worker, and a restart replays the
epoch and lands on the same rows.

1. decode; what cannot be decoded or is invalid becomes a dead letter;
2. per partition: read the journeys, apply the events, attribute every conversion they touch;
3. write changelog and dead letters and await every delivery;
4. store the journeys with their changelog offset in RocksDB, atomically;
5. insert rows into ClickHouse; while it is away, wait and retry, drop nothing;
6. commit the source offsets.

Up to three epochs are under way, one in steps 1 and 2, one in 3 and 4, one in 5 and 6; each step takes them in
order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol

from mode import get_logger

from attribution.attribute import Attributor
from attribution.config import AttributionConfig
from attribution.journey import Journey
from attribution.journey_bytes import append_touches
from attribution.types import ConversionCredits
from schemas.codec import Codec, RawRecord, Rejected, SchemaSourceUnavailableError
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent
from stream_app import failpoints
from stream_app.grouping import by_customer
from stream_app.late import LateKey, late_keys, split_late
from stream_app.transport import Epoch

logger = get_logger(__name__)


class Consumer(Protocol):
    """The part of the transport that the pipeline needs."""

    def begin(self, epoch: Epoch) -> bool:
        """Whether the epoch continues the chain."""

    async def finish(self, epoch: Epoch) -> None:
        """Commit its offsets."""


class State(Protocol):
    """Journeys of one partition: local store and changelog."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Bytes per customer."""

    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        """Changelog first, awaited, then the local store."""


@dataclass(slots=True)
class Batch:
    """What one epoch amounts to; ``newest_us`` is the newest event time per topic and partition."""

    epoch: Epoch
    journeys: dict[int, dict[bytes, bytes | None]] = field(default_factory=dict)
    credits: list[tuple[str, ConversionCredits]] = field(default_factory=list)
    touchpoints: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    spend: list[SpendEvent] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    newest_us: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A source topic and its decoder."""

    topic: str
    codec: Codec


@dataclass(frozen=True, slots=True)
class Sources:
    """What a worker reads."""

    touchpoints: Source
    conversions: Source
    spend: Source


class Pipeline:
    """Turns epochs into durable journeys, rows and committed offsets."""

    def __init__(
        self,
        *,
        config: AttributionConfig,
        sources: Sources,
        state: Callable[[int], State],
        consumer: Callable[[], Consumer],
        write_dead_letters: Callable[[Sequence[Rejected]], None],
        write_rows: Callable[[Batch], None],
        threads: Executor,
    ) -> None:
        self._config = config
        self._sources = sources
        self._attribute = Attributor(config).attribute
        self._state, self._consumer = state, consumer
        self._write_dead_letters, self._write_rows = write_dead_letters, write_rows
        self._threads = threads
        self._finishing: asyncio.Task[None] | None = None
        self._delivery: asyncio.Task[None] | None = None
        self._not_stored: dict[int, dict[bytes, bytes | None]] = {}

    async def run(self, epoch: Epoch, fail_stop: Callable[[BaseException], None]) -> None:
        """Steps 1 and 2; the others go on in the background, in the order of the epochs, while the next one computes.

        Journeys that are not in the store yet are read from the epoch before; a failure ends the process, so they
        never outlive it.
        """
        if not self._consumer().begin(epoch):
            return
        began = time.perf_counter()
        batch = await self._computed(epoch)
        computed = time.perf_counter()
        if self._finishing is not None:
            await self._finishing
        self._not_stored = batch.journeys
        self._finishing = asyncio.create_task(self._finish(batch, computed - began, fail_stop))

    async def _computed(self, epoch: Epoch) -> Batch:
        while True:
            batch = self.compute(epoch)
            if batch is not None:
                return batch
            await asyncio.sleep(1.0)

    def compute(self, epoch: Epoch) -> Batch | None:
        """Steps 1 and 2, without any effect; None while the schema registry does not answer."""
        batch = Batch(epoch)
        try:
            for partition, records in epoch.by_partition():
                touchpoints = self._decode(self._sources.touchpoints, records, batch)
                conversions = self._decode(self._sources.conversions, records, batch)
                batch.spend += self._decode(self._sources.spend, records, batch)
                late = self._apply(partition, touchpoints, conversions, batch)
                if late:
                    touchpoints, conversions = self._without(late, touchpoints, conversions, records, batch)
                self._keep(partition, touchpoints, conversions, batch)
        except SchemaSourceUnavailableError as error:
            logger.warning("Waiting for the schema registry: %s", error)
            return None
        return batch

    @staticmethod
    def _decode(source: Source, records: Mapping[str, Sequence[RawRecord]], batch: Batch) -> list[Any]:
        """Events of one topic; what is no event goes to ``batch.rejected``."""
        chunk = records.get(source.topic)
        if chunk is None:
            return []
        events, rejected = source.codec.decode_batch(chunk)
        batch.rejected += rejected
        return events

    def _apply(
        self,
        partition: int,
        touchpoints: Sequence[TouchpointEvent],
        conversions: Sequence[ConversionWireEvent],
        batch: Batch,
    ) -> set[LateKey]:
        """Update the journeys of one partition and attribute what the events touch; returns what came too late."""
        todo = by_customer(touchpoints, conversions)
        keys = [customer.encode() for customer in todo]
        changed: dict[bytes, bytes | None] = {}
        found, config, attribute = batch.credits, self._config, self._attribute
        from_bytes = Journey.from_bytes
        late: set[LateKey] = set()
        raws = self._state(partition).get_many(keys)
        if newer := self._not_stored.get(partition):
            raws = [newer.get(key, raw) for key, raw in zip(keys, raws, strict=True)]
        for key, (customer, (touches, events)), raw in zip(keys, todo.items(), raws, strict=True):
            if raw is not None and not events and (appended := append_touches(raw, touches, config)) is not None:
                changed[key] = appended
                continue
            journey = Journey() if raw is None else from_bytes(raw)
            applied = journey.apply(touches, events, config)
            if applied.changed:
                changed[key] = journey.to_bytes()
            for conversion in applied.affected:
                found.append((customer, attribute(journey, conversion)))
            if applied.late_touches or applied.late_conversions:
                late.update(late_keys(customer, applied))
        batch.journeys[partition] = changed
        return late

    def _without(
        self,
        late: set[LateKey],
        touchpoints: list[TouchpointEvent],
        conversions: list[ConversionWireEvent],
        records: Mapping[str, Sequence[RawRecord]],
        batch: Batch,
    ) -> tuple[list[TouchpointEvent], list[ConversionWireEvent]]:
        """Late events become dead letters instead of facts."""
        kept, rejected = split_late(touchpoints, late, records.get(self._sources.touchpoints.topic, ()))
        kept_conversions, also = split_late(conversions, late, records.get(self._sources.conversions.topic, ()))
        batch.rejected += rejected + also
        return kept, kept_conversions

    def _keep(
        self,
        partition: int,
        touchpoints: list[TouchpointEvent],
        conversions: list[ConversionWireEvent],
        batch: Batch,
    ) -> None:
        """Raw facts, and how far event time has come."""
        batch.touchpoints += touchpoints
        batch.conversions += conversions
        for source, events in ((self._sources.touchpoints, touchpoints), (self._sources.conversions, conversions)):
            if events:
                batch.newest_us[source.topic, partition] = max([e.occurred_at_us for e in events])

    async def _finish(self, batch: Batch, computed_s: float, fail_stop: Callable[[BaseException], None]) -> None:
        """Steps 3 and 4, then 5 and 6 once those of the epoch before are over."""
        began = time.perf_counter()
        try:
            await self._make_durable(batch)
            if self._delivery is not None:
                await self._delivery
            seconds = (computed_s, time.perf_counter() - began)
            self._delivery = asyncio.create_task(self._deliver(batch, seconds, fail_stop))
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing may be committed after it
            fail_stop(error)

    async def _make_durable(self, batch: Batch) -> None:
        """Changelog, dead letters and local state; every partition in its own thread."""
        run = asyncio.get_running_loop().run_in_executor
        writes = [
            run(self._threads, self._state(partition).write, journeys)
            for partition, journeys in batch.journeys.items()
            if journeys
        ]
        if batch.rejected:
            writes.append(run(self._threads, self._write_dead_letters, batch.rejected))
        await asyncio.gather(*writes)

    async def _deliver(
        self, batch: Batch, seconds: tuple[float, float], fail_stop: Callable[[BaseException], None]
    ) -> None:
        """Rows, then offsets."""
        try:
            began = time.perf_counter()
            await asyncio.get_running_loop().run_in_executor(self._threads, self._write_rows, batch)
            inserted = time.perf_counter()
            failpoints.passed("after_insert")
            await self._consumer().finish(batch.epoch)
            failpoints.passed("after_commit")
            logger.info(
                "Epoch of %d records, %d conversions attributed, %d rejected: computed in %.3f s, durable %.3f, "
                "inserted %.3f, committed %.3f",
                len(batch.epoch),
                len(batch.credits),
                len(batch.rejected),
                *seconds,
                inserted - began,
                time.perf_counter() - inserted,
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing may be committed after it
            fail_stop(error)
