"""What a request needs, made once by the application factory and handed to routes by ``Depends``.

Blocking reads run in threads, at most ``settings.query_threads`` at once. Every read of what the numbers stand on is
shared, and every report over rollups is kept: see ``reads``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, ParamSpec, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from accounts.workspaces import DEFAULT
from api.errors import Problem
from api.letter_store import Letters
from api.live_hub import LiveHub
from api.live_store import Inserted, LiveRow, Position
from api.offsets import OffsetReader
from api.producer import EventProducer, OutRecord
from api.reads import Joined, JoinedByKey, Kept
from api.registry import Registry
from api.registry_log import KafkaSchemaLog, SchemaLog
from api.replay_store import Replays
from api.run_store import GapCheck
from api.settings import ApiSettings
from api.store import Meta, Standing, State, Store, Unavailable
from attribution.channels import ChannelRules
from clickhouse.run import Run
from collector.names import Names
from schemas.topics import topic_in
from telemetry.api_metrics import ApiMetrics
from telemetry.traceparent import CURRENT, TRACEPARENT

P = ParamSpec("P")
T = TypeVar("T")


class Services:
    """Settings, ports and the clock (aware UTC).

    Args:
        settings: how long to wait, how many threads, how long to keep reports.
        store: where to read.
        offsets: ends of the topics.
        producer: where events are written.
        channel_rules: how the workers derive channels.
        workspace: whose topics events go to.
        metrics: where events are counted.
        gap_check: what refuses a promotion that would leave a gap; None: nobody here can know.
        schema_log: where the registry keeps schemas; Kafka of the settings when left out.
        letters: the dead letters; None: this process does not read them.
        replays: what computes runs anew; None: this process does not.
        now: the clock.
        monotonic: the clock of durations, seconds.
    """

    def __init__(
        self,
        settings: ApiSettings,
        store: Store,
        offsets: OffsetReader,
        *,
        producer: EventProducer,
        channel_rules: ChannelRules,
        workspace: str = "default",
        metrics: ApiMetrics | None = None,
        gap_check: GapCheck | None = None,
        schema_log: SchemaLog | None = None,
        letters: Letters | None = None,
        replays: Replays | None = None,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self.producer, self.channel_rules, self._workspace = producer, channel_rules, workspace
        self.event_names = Names.of(settings.conversion_events, settings.touch_events)
        topic = topic_in(workspace, settings.registry_topic)
        self.registry = Registry(
            schema_log or KafkaSchemaLog(settings.kafka_bootstrap_servers, topic, timeout_s=settings.produce_timeout_s)
        )
        self._gap_check, self._letters, self._replays = gap_check, letters, replays
        self.metrics = metrics or ApiMetrics()
        # their own threads: an intake waits for Kafka, and reads must not wait for it
        self._intake_threads = anyio.CapacityLimiter(settings.intake_threads)
        self.settings, self.store, self.offsets, self.now = settings, store, offsets, now
        self._threads = anyio.CapacityLimiter(settings.query_threads)
        self._standing: Joined[Standing] = Joined(lambda: self.call(store.standing))
        self.live = LiveHub(
            self._inserted,
            self.inserted_rows,
            poll_s=settings.stream_poll_s,
            overlap_s=settings.stream_overlap_s,
            kept=settings.stream_kept,
            monotonic=monotonic,
        )
        self._shared = JoinedByKey()
        self._kept = Kept(keep_s=settings.report_keep_s, monotonic=monotonic)

    async def meta(self) -> Meta:
        """What the numbers stand on, read after the call began."""
        return (await self._standing()).meta

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in a thread. When the request ends first, the thread is left to finish alone."""
        return await anyio.to_thread.run_sync(
            partial(function, *args, **kwargs), limiter=self._threads, abandon_on_cancel=True
        )

    async def shared(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like ``call``, one for all who ask the same at once; the answer is read after the call began.

        ``read`` is a method of the store, its arguments are hashable.
        """
        key = (read.__qualname__, args, tuple(sorted(kwargs.items())))
        return await self._shared.get(key, lambda: self.call(read, *args, **kwargs))

    async def intake(self, function: Callable[[], T]) -> T:
        """Run a blocking part of an intake in a thread, at most ``settings.intake_threads`` at once."""
        return await anyio.to_thread.run_sync(function, limiter=self._intake_threads, abandon_on_cancel=True)

    async def write(self, records: Sequence[OutRecord]) -> dict[int, str]:
        """Write events, as part of the request's trace; the reasons of those that were not confirmed, by index."""
        if (place := CURRENT.get()) is not None:
            header = (TRACEPARENT, place.header())
            records = [r._replace(headers=(*r.headers, header)) for r in records]
        if self._workspace != DEFAULT:
            records = [r._replace(topic=self.topic_named(r.topic)) for r in records]
        return await self.intake(partial(self.producer.write, records))

    def topic_named(self, topic: str) -> str:
        """The workspace's name of a topic."""
        return topic_in(self._workspace, topic)

    async def _inserted(self, from_us: int, overlap_us: int) -> Inserted:
        return await self.call(self.store.inserted, from_us, overlap_us)

    async def inserted_rows(
        self, run_id: int, stamps: list[int], from_us: int, after: Position, limit: int
    ) -> list[LiveRow]:
        """See ``LiveStore.inserted_rows``."""
        return await self.call(self.store.inserted_rows, run_id, stamps, from_us, after, limit)

    @property
    def letters(self) -> Letters:
        """The dead letters.

        Raises:
            Unavailable: this process does not read them.
        """
        if self._letters is None:
            raise Unavailable("kafka", "dead letters are not read by this process; use `attribution dlq`")
        return self._letters

    @property
    def replays(self) -> Replays:
        """What computes runs anew.

        Raises:
            Problem: 409, this process does not.
        """
        if self._replays is None:
            raise Problem(409, "No runs are computed here (ATTRIBUTION_API_REPLAY_DIR); use `attribution replay`.")
        return self._replays

    def close(self) -> None:
        """Stop replays, and give back the connections. Blocks."""
        if self._replays is not None:
            self._replays.close()
        self.offsets.close()
        self.registry.close()
        self.store.close()

    def refuse_gap(self, active: Run, run: Run) -> None:
        """See ``run_store.GapCheck``. Blocks.

        Raises:
            RunError: there would be a gap.
            Unavailable: that cannot be found out.
        """
        if self._gap_check is None:
            raise Unavailable("kafka", "how far the workers are is not known to this process; use the command")
        self._gap_check(self._workspace, active, run)

    async def report(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[Meta, T]:
        """A report over rollups with what it stands on: ``read`` is a method of the store, its arguments are hashable.

        The report is never older than its ``Meta`` says.
        """
        key = (read.__qualname__, args, tuple(sorted(kwargs.items())))
        return await self.renewed(key, lambda _state, _former: read(*args, **kwargs))

    async def renewed(self, key: Hashable, read: Callable[[State | None, T | None], T]) -> tuple[Meta, T]:
        """Like ``report``, for a report that can take over parts of what it was.

        Args:
            key: which report.
            read: blocks; takes the state to read under and the report under an earlier state, None if there is none.
        """
        standing = await self._standing()
        found = await self._kept.get(standing.state, key, lambda former: self.call(read, standing.state, former))
        return standing.meta, found


async def services_of(request: Request) -> Services:
    """The services of the caller's workspace; a coroutine, since FastAPI would give a plain function a thread."""
    services: Services = request.state.services
    return services


Injected: TypeAlias = Annotated[Services, Depends(services_of)]
