"""The way of an event: decode → journeys → attribute → rows → sink → commit.

One epoch at a time, strictly in this order; a failure anywhere stops the worker, and a restart replays the
epoch and lands on the same rows.

1. decode; what cannot be decoded or is invalid becomes a dead letter, too many of which stop the worker;
2. per partition: read the journeys, apply the events, attribute every conversion they touch;
3. write dead letters and notices to other workers, then the changelog, and await every delivery;
4. store the journeys with their changelog offset in RocksDB, atomically;
5. insert rows into ClickHouse; while it is away, wait and retry, drop nothing;
6. commit the source offsets.

Up to three epochs are under way, one in steps 1 and 2, one in 3 and 4, one in 5 and 6; each step takes them in
order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Protocol

from faust.types import TP
from mode import get_logger

from schemas.codec import Rejected, SchemaSourceUnavailableError
from stream_app import failpoints
from stream_app.batch import Batch, Stages
from stream_app.dead_letter_limits import LimitGuard
from stream_app.decoding import Decoded, Decoder, Sources
from stream_app.handovers import Notice
from stream_app.journeys import JourneyStep, State
from stream_app.traces import tell, trace_ids, traced
from stream_app.transport import Epoch
from telemetry.tracing import Tracer

logger = get_logger(__name__)


class Consumer(Protocol):
    """The part of the transport that the pipeline needs."""

    def begin(self, epoch: Epoch) -> bool:
        """Whether the epoch continues the chain."""
        ...

    def note(self, tp: TP) -> tuple[int, str]:
        """What was committed last when reading began: offset and note."""
        ...

    async def finish(self, epoch: Epoch, notes: Mapping[TP, str]) -> None:
        """Commit its offsets, each with its note."""


class Measure(Protocol):
    """Who counts."""

    def epoch(self, batch: Batch, stages: Stages) -> None:
        """An epoch is committed."""

    def reread(self) -> None:
        """One does not continue the chain."""


class Pipeline:
    """Turns epochs into durable journeys, rows and committed offsets."""

    def __init__(
        self,
        *,
        sources: Sources,
        journeys: JourneyStep,
        state: Callable[[int], State],
        consumer: Callable[[], Consumer],
        write_dead_letters: Callable[[Sequence[Rejected]], None],
        write_notices: Callable[[Sequence[Notice]], None],
        write_rows: Callable[[Batch], None],
        threads: Executor,
        limits: LimitGuard,
        beat: Callable[[str], None] = lambda _: None,
        measure: Measure | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._sources, self._decoder, self._journeys = sources, Decoder(sources), journeys
        self._state, self._consumer = state, consumer
        self._write_dead_letters, self._write_notices = write_dead_letters, write_notices
        self._write_rows = write_rows
        self._threads, self._limits, self._beat = threads, limits, beat
        self._measure, self._tracer = measure, tracer
        self._finishing: asyncio.Task[None] | None = None
        self._delivery: asyncio.Task[None] | None = None
        self._not_stored: dict[int, dict[bytes, bytes | None]] = {}

    async def run(self, epoch: Epoch, fail_stop: Callable[[BaseException], None]) -> None:
        """Steps 1 and 2; the others go on in the background, in the order of the epochs, while the next one computes.

        Journeys that are not in the store yet are read from the epoch before; a failure ends the process, so they
        never outlive it.
        """
        if not self._consumer().begin(epoch):
            if self._measure is not None:
                self._measure.reread()
            return
        began = time.perf_counter()
        waited = time.monotonic() - epoch.first_at if epoch.first_at else 0.0
        batch = await self._computed(epoch)
        batch.notes = self._limits.advance(epoch.chunks, epoch.start, batch.rejected)
        computed = time.perf_counter()
        if self._finishing is not None:
            await self._finishing
        self._not_stored = batch.journeys
        self._finishing = asyncio.create_task(self._finish(batch, (waited, computed - began), fail_stop))

    async def _computed(self, epoch: Epoch) -> Batch:
        while True:
            batch = self.compute(epoch)
            if batch is not None:
                return batch
            await asyncio.sleep(1.0)

    def compute(self, epoch: Epoch) -> Batch | None:
        """Steps 1 and 2, without any effect outside; None while the schema registry does not answer."""
        batch = Batch(epoch)
        if self._tracer is not None:
            batch.traced = traced(epoch.chunks)
        try:
            decoded = [(partition, self._decoder.decode(records)) for partition, records in epoch.by_partition()]
        except SchemaSourceUnavailableError as error:
            logger.warning("Waiting for the schema registry: %s", error)
            self._beat("wait for the schema registry")
            return None
        for partition, events in decoded:
            state = self._state(partition)
            self._decoder.drop_erased(events, self._journeys.is_erased(state))
            result = self._journeys.apply(events, state, self._not_stored.get(partition, {}))
            batch.add(partition, result)
            if batch.traced:
                self._note_traces(partition, events, batch)
            self._note_newest(partition, events, batch)
        return batch

    def _note_newest(self, partition: int, events: Decoded, batch: Batch) -> None:
        """How far event time has come."""
        sources = self._sources
        for source, found in ((sources.touchpoints, events.touchpoints), (sources.conversions, events.conversions)):
            if found:
                batch.newest_us[source.topic, partition] = max([e.occurred_at_us for e in found])

    def _note_traces(self, partition: int, events: Decoded, batch: Batch) -> None:
        """Whose rows get a trace id."""
        sources = self._sources
        for source, found in ((sources.touchpoints, events.touchpoints), (sources.conversions, events.conversions)):
            places = batch.traced.get(TP(source.topic, partition))
            if places:
                batch.trace_ids |= trace_ids(found, places)

    async def _finish(
        self, batch: Batch, before: tuple[float, float], fail_stop: Callable[[BaseException], None]
    ) -> None:
        """Steps 3 and 4, then 5 and 6 once those of the epoch before are over; ``before``: seconds waited, computed."""
        began = time.perf_counter()
        try:
            await self._make_durable(batch)
            if self._delivery is not None:
                await self._delivery
            seconds = (*before, time.perf_counter() - began)
            self._delivery = asyncio.create_task(self._deliver(batch, seconds, fail_stop))
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing may be committed after it
            fail_stop(error)

    async def _make_durable(self, batch: Batch) -> None:
        """Dead letters and notices, then changelog and local state; every partition in its own thread.

        A journey that is stored is taken as proof that its notices and dead letters were sent.
        """
        run = asyncio.get_running_loop().run_in_executor
        sends = []
        if batch.rejected:
            sends.append(run(self._threads, self._write_dead_letters, batch.rejected))
        if batch.notices:
            sends.append(run(self._threads, self._write_notices, batch.notices))
        if sends:
            await asyncio.gather(*sends)
        writes = [
            run(self._threads, self._state(partition).write, journeys)
            for partition, journeys in batch.journeys.items()
            if journeys
        ]
        await asyncio.gather(*writes)
        if self._not_stored is batch.journeys:  # the store has them; after a rebalance it may have newer ones
            self._not_stored = {}

    async def _deliver(
        self, batch: Batch, seconds: tuple[float, float, float], fail_stop: Callable[[BaseException], None]
    ) -> None:
        """Rows, then offsets."""
        try:
            began = time.perf_counter()
            await asyncio.get_running_loop().run_in_executor(self._threads, self._write_rows, batch)
            inserted = time.perf_counter()
            failpoints.passed("after_insert")
            await self._consumer().finish(batch.epoch, batch.notes)
            failpoints.passed("after_commit")
            self._beat("epoch committed")
            waited, computed, durable = seconds
            self._tell(batch, Stages(waited, computed, durable, inserted - began, time.perf_counter() - inserted))
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing may be committed after it
            fail_stop(error)

    def _tell(self, batch: Batch, stages: Stages) -> None:
        """The epoch is over: to who counts, to who traces, and in the log."""
        if self._measure is not None:
            self._measure.epoch(batch, stages)
        counts = {"records": len(batch.epoch), "conversions": len(batch.credits), "rejected": len(batch.rejected)}
        if self._tracer is not None and batch.traced:
            seconds = stages._asdict()
            tell(self._tracer, batch.traced, batch.rejected, seconds=seconds, end_ns=time.time_ns(), counts=counts)
        if not logger.isEnabledFor(logging.INFO):
            return
        logger.info(
            "Epoch of %d records, %d conversions attributed, %d rejected: waited %.3f s, computed in %.3f s, "
            "durable %.3f, inserted %.3f, committed %.3f",
            *counts.values(),
            *stages,
            extra={"fields": counts | {f"{stage}_s": round(took, 6) for stage, took in stages._asdict().items()}},
        )
