"""A world in memory for the real ``Pipeline``: what survives a crash, lives that end between any two steps, a script.

``World`` survives: source logs, committed offsets, changelog, local stores, rows. A ``Life`` is one process: every
effect it has is a *step*, and a life may end before any of them; once it has ended nothing of it has an effect any
more, whatever its tasks still try. The chain check and the order changelog-then-store are the product's own code
(``transport.Consumer.begin`` and ``finish``, ``DurableState``); threads are replaced by calls that the script orders.

Each step is atomic, as its original is: one changelog transaction, one WriteBatch, one insert into one table, one
commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
from faust.types import TP

from attribution.config import AttributionConfig
from clickhouse.errors import SinkUnavailable
from clickhouse.tables import WRITE_ORDER
from clickhouse.testing import MemorySink
from clickhouse.writer import write_with_backoff
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from stream_app.batch import Batch
from stream_app.dead_letter_limits import LimitGuard, Limits
from stream_app.decoding import Source, Sources
from stream_app.journeys import JourneyStep
from stream_app.pipeline import Pipeline
from stream_app.rows import RowWriter
from stream_app.settings import WorkerSettings
from stream_app.state import DurableState
from stream_app.suppression import Suppression
from stream_app.transport import Consumer, Epoch

RULES, SCHEMAS = load_channel_rules(), LocalSchemas()
MODELS = ("linear", "last_touch")
CONFIG = AttributionConfig(models=MODELS)
#: More than any life needs; a life that goes round in circles ends here.
TURNS = 2_000


class CrashError(Exception):
    """The life is over."""


@dataclass
class Record:
    """What the codec reads of a record."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    timestamp: int = 1_795_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Script:
    """Decisions, one number each; 0 once it is used up, which always means: go on as usual."""

    numbers: Sequence[int]
    at: int = 0

    def choose(self, count: int) -> int:
        """A number below ``count``."""
        self.at += 1
        return self.numbers[self.at - 1] % count if self.at <= len(self.numbers) else 0


@dataclass
class World:
    """What outlives a process. ``crashes``: numbers of the steps before which a life ends."""

    logs: dict[TP, list[Record]]
    script: Script
    crashes: frozenset[int] = frozenset()
    lost_answers: frozenset[int] = frozenset()
    config: AttributionConfig = CONFIG
    committed: dict[TP, int] = field(default_factory=dict)
    changelog: dict[int, list[dict[bytes, bytes | None]]] = field(default_factory=dict)
    stores: dict[int, tuple[int, dict[bytes, bytes]]] = field(default_factory=dict)
    sink: MemorySink = field(default_factory=MemorySink)
    letters: set[tuple[str, int, int]] = field(default_factory=set)
    steps: int = 0
    inserts: int = 0
    deaths: int = 0

    def rebuilt(self, partition: int) -> dict[bytes, bytes]:
        """The journeys of a partition by its changelog alone."""
        return _applied({}, self.changelog.get(partition, []))

    def restore(self, partition: int, *, wipe: bool) -> None:
        """Bring a local store up to the end of the changelog."""
        complete, journeys = (0, {}) if wipe else self.stores.get(partition, (0, {}))
        log = self.changelog.get(partition, [])
        self.stores[partition] = (len(log), _applied(journeys, log[complete:]))


def _applied(journeys: Mapping[bytes, bytes], changes: Sequence[Mapping[bytes, bytes | None]]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes | None] = dict(journeys)
    for change in changes:
        found.update(change)
    return {key: value for key, value in found.items() if value is not None}


class Life:
    """One process: it ends at a step that the world says, and never comes back."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_over = False

    def step(self) -> None:
        """Come to the next effect."""
        if not self.is_over:
            self.world.steps += 1
            self.is_over = self.world.steps in self.world.crashes
        if self.is_over:
            raise CrashError

    def end(self, _: BaseException) -> None:
        """Fail-stop."""
        self.is_over = True

    def state(self, partition: int) -> DurableState:
        """The product's state over this world's changelog and store."""
        part = _Partition(self, partition)
        return DurableState(cast(Any, _Log(self, partition)), cast(Any, part))

    def write_dead_letters(self, rejected: Sequence[Any]) -> None:
        """Dead letters, by their place."""
        self.step()
        self.world.letters.update((r.record.topic, r.record.partition, r.record.offset) for r in rejected)

    def write_rows(self, batch: Batch) -> None:
        """The product's rows, table by table, retried like the product does."""
        settings = WorkerSettings(ATTRIBUTION_DEFAULT_MODELS=",".join(MODELS))
        rows = RowWriter(
            settings,
            writer=cast(Any, self),
            eraser=cast(Any, None),
            clock_us=lambda: 0,
            is_stopping=lambda: False,
            wait=cast(Any, None),
        )
        write_with_backoff(self, rows.tables(batch), sleep=lambda _: None, should_stop=lambda: self.is_over)

    def write(self, tables: Mapping[str, pa.Table]) -> int:
        """``clickhouse.writer.Sink``: a life may end between two tables, an answer may be lost after any."""
        written = 0
        for table in WRITE_ORDER:
            if table.name in tables and tables[table.name].num_rows:
                self.step()
                written += self.world.sink.write({table.name: tables[table.name]})
                self.world.inserts += 1
                if self.world.inserts in self.world.lost_answers:
                    raise SinkUnavailable("the answer is lost")
        return written


class _Log:
    def __init__(self, life: Life, partition: int) -> None:
        self._life, self._partition = life, partition

    def write(self, journeys: Mapping[bytes, bytes | None]) -> int:
        self._life.step()
        log = self._life.world.changelog.setdefault(self._partition, [])
        log.append(dict(journeys))
        return len(log)


class _Partition:
    def __init__(self, life: Life, partition: int) -> None:
        self._life, self._partition = life, partition
        self.erased: dict[bytes, bytes] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        _, journeys = self._life.world.stores[self._partition]
        return [journeys.get(key) for key in keys]

    def write(self, journeys: Mapping[bytes, bytes | None], offset: int) -> None:
        self._life.step()
        _, before = self._life.world.stores[self._partition]
        self._life.world.stores[self._partition] = (offset, _applied(before, [journeys]))


class ModelConsumer:
    """Positions and commits in memory; whether an epoch is taken is the product's decision."""

    begin = cast(Any, Consumer.begin)
    finish = cast(Any, Consumer.finish)

    def __init__(self, life: Life) -> None:
        self.life = life
        self.fence = self.dropped = self._in_flight = 0
        self.flow_active = True
        self._rewind = False
        self.idle = asyncio.Event()
        self.idle.set()
        self.queue: list[Epoch] = []
        self.seek()

    def seek(self) -> None:
        """Every position to its committed offset."""
        world = self.life.world
        self.position = {tp: world.committed.get(tp, 0) for tp in world.logs}
        self._tail = dict(self.position)
        self._committed_offset = dict(world.committed)
        self._rewind = False

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        self.life.step()
        self.life.world.committed.update(offsets)
        return True

    async def _commit_noted(self, offsets: Mapping[TP, int], _: Mapping[TP, str]) -> bool:
        return await self._commit(offsets)

    def cut(self) -> Epoch | None:
        """The next records of some partitions, as many as the script says."""
        world = self.life.world
        chunks: dict[TP, list[Any]] = {}
        start = {}
        for tp, log in world.logs.items():
            at = self.position[tp]
            size = min(len(log) - at, 1 + world.script.choose(4) if world.script.choose(3) < 2 else 0)
            if size:
                chunks[tp], start[tp] = log[at : at + size], at
                self.position[tp] = at + size
        return Epoch(self.fence, chunks, start) if chunks else None


class Scheduled(Executor):
    """Calls that run when the script says, in any order."""

    def __init__(self) -> None:
        self.pending: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Put aside."""
        future: Future[Any] = Future()
        self.pending.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run(self, index: int) -> None:
        """Run one of the pending calls."""
        future, call = self.pending.pop(index)
        if not future.cancelled():
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001  # what a thread pool does
                future.set_exception(error)


@dataclass(frozen=True)
class Protocol:
    """The product, or a broken one: which parts a life is made of."""

    pipeline: type[Pipeline] = Pipeline
    consumer: type[ModelConsumer] = ModelConsumer
    life: type[Life] = Life


async def live(world: World, protocol: Protocol) -> None:
    """One process from its start to its end or to the last commit."""
    life = protocol.life(world)
    for partition in {tp.partition for tp in world.logs}:
        world.restore(partition, wipe=world.script.choose(3) == 1)
    consumer, threads = protocol.consumer(life), Scheduled()
    pipeline = _pipeline(protocol, life, consumer, threads)
    agent: asyncio.Task[None] | None = None
    for _ in range(TURNS):
        if life.is_over or _is_done(world):
            break
        if consumer.queue and (agent is None or agent.done()):
            agent = asyncio.create_task(pipeline.run(consumer.queue.pop(0), life.end))
        _act(world, consumer, threads)
        for _ in range(6):
            await asyncio.sleep(0)
        if agent is not None and agent.done() and not life.is_over and (error := agent.exception()):
            life.end(error)
    world.deaths += life.is_over
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _act(world: World, consumer: ModelConsumer, threads: Scheduled) -> None:
    """What happens next: a call returns, an epoch is fetched, lost on the way, or made void by a rebalance."""
    kind = world.script.choose(8)
    if threads.pending and kind < 4:
        threads.run(world.script.choose(len(threads.pending)))
    elif consumer._rewind or _is_stuck(world, consumer, threads):
        if consumer.idle.is_set() and not threads.pending:
            consumer.queue.clear()
            consumer.seek()
    elif kind == 7:
        consumer.fence += 1
        consumer._rewind = True
    elif len(consumer.queue) < 1:
        epoch = consumer.cut()
        if epoch is not None and kind != 6:
            consumer.queue.append(epoch)


def _is_stuck(world: World, consumer: ModelConsumer, threads: Scheduled) -> bool:
    """Everything is read and nothing under way, but not committed: the last epoch was lost; a rebalance comes."""
    is_read = all(consumer.position[tp] == len(log) for tp, log in world.logs.items())
    return is_read and consumer.idle.is_set() and not consumer.queue and not threads.pending


def _is_done(world: World) -> bool:
    return all(world.committed.get(tp, 0) == len(log) for tp, log in world.logs.items())


def _pipeline(protocol: Protocol, life: Life, consumer: ModelConsumer, threads: Scheduled) -> Pipeline:
    def codec(kind: Any) -> Codec:
        return Codec(kind, channel_rules=RULES, schemas=SCHEMAS)

    sources = Sources(
        Source("t", codec("touchpoint")),
        Source("c", codec("conversion")),
        Source("s", codec("spend")),
        Source("i", codec("identity")),
        Source("e", codec("erasure")),
        "h",
    )
    return protocol.pipeline(
        sources=sources,
        journeys=JourneyStep(life.world.config, sources, Suppression(b"")),
        state=life.state,
        consumer=lambda: cast(Any, consumer),
        write_dead_letters=life.write_dead_letters,
        write_notices=lambda _: life.step(),
        write_rows=life.write_rows,
        threads=threads,
        limits=LimitGuard(Limits(max_ratio=0, max_consecutive=0), lambda _: (-1, "")),
    )


def run_to_the_end(world: World, protocol: Protocol) -> None:
    """Lives, one after the other, until everything is committed; each crash that is asked for ends one.

    Raises:
        AssertionError: they never come to an end.
    """
    for _ in range(len(world.crashes) + 3):
        if _is_done(world):
            return
        asyncio.run(live(world, protocol))
    raise AssertionError("no end is reached")
