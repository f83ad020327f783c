"""Records travel in chunks: one stream item is an ``Epoch``, all records of one fetch.

Stock Faust spends four asyncio tasks on every record. Here Faust keeps membership, assignment and
rebalancing, and its consumer hands over lists.

Epochs form a chain: each carries the offsets at which it starts, and ``begin`` accepts it only where the
last accepted one ended. Whatever does not continue the chain is dropped, a fence goes up so that nothing
fetched before is used, and the consumer seeks back to the committed offsets. A gap of any cause becomes a
re-read; nothing is skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import get_logger

from schemas.records import RawRecord
from stream_app import failpoints
from stream_app.alignment import Alignment
from stream_app.commit_notes import NotingThread
from stream_app.cutting import SETTLE_S, Cuts
from stream_app.lag import Arrivals, Place

logger = get_logger(__name__)

#: A topic with at most so many unread records in a partition holds no other up. More would let a worker that catches up
#: attribute conversions before their touchpoints and again after them; fewer would make busy live traffic wait.
LIVE_RECORDS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Pace:
    """When an epoch is cut: at so many records, or so long after the one before; see ``cutting``.

    ``topics``: all that is read; ``aligned_topics``: those of them that are read side by side in time.
    """

    topics: Sequence[str] = ()
    aligned_topics: Sequence[str] = ()
    epoch_records: int = 50_000
    linger_s: float = 0.2


class CommitRefusedError(RuntimeError):
    """The group does not take this worker's offsets: it is not the owner any more."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """All records of one fetch.

    ``chunks``: records per topic partition in offset order, never empty.
    ``start``: the read position of each of these partitions before the epoch.
    ``first_at``: when its first record came, on the monotonic clock.
    """

    fence: int
    chunks: Mapping[TP, Sequence[RawRecord]]
    start: Mapping[TP, int]
    first_at: float = 0.0

    @property
    def end(self) -> dict[TP, int]:
        """The offset after the last record of each partition: what is committed."""
        return {tp: records[-1].offset + 1 for tp, records in self.chunks.items()}

    def __len__(self) -> int:
        return sum(map(len, self.chunks.values()))

    def by_partition(self) -> Iterator[tuple[int, dict[str, Sequence[RawRecord]]]]:
        """``(partition, {topic: records})``: the topics of one partition number share their keys."""
        grouped: dict[int, dict[str, Sequence[RawRecord]]] = {}
        for tp, records in self.chunks.items():
            grouped.setdefault(tp.partition, {})[tp.topic] = records
        yield from grouped.items()


class Consumer(driver.Consumer):
    """Delivers epochs, accepts them in chain order, commits what is finished."""

    def on_init(self) -> None:
        """Called by the service's constructor."""
        self.fence = 0
        self.dropped = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._in_flight = 0
        self._rewind = False
        self._next: dict[TP, int] = {}  # read position of every source partition
        self._tail: dict[TP, int] = {}  # where the last accepted epoch ended
        self._notes: dict[TP, tuple[int, str]] = {}
        self._done: dict[TP, int] = {}  # what is committed, or where reading began
        self._arrivals = Arrivals()
        self._known_gaps: set[tuple[TP, int, int]] = set()
        self.alignment = Alignment(self._pace.aligned_topics)
        self._cuts = Cuts(self._pace.epoch_records, self._pace.linger_s)

    @property
    def _pace(self) -> Pace:
        return cast(Transport, self.transport).pace

    def begin(self, epoch: Epoch) -> bool:
        """Whether the epoch may be processed; the caller must not await before it does."""
        in_chain = all(self._tail.get(tp) == at for tp, at in epoch.start.items())
        if epoch.fence != self.fence or not self.flow_active or not in_chain:
            self.dropped += 1
            self.fence += 1
            self._rewind = True
            logger.info("Dropped an epoch of %d records: it will be read again", len(epoch))
            return False
        self._tail.update(epoch.end)
        self._in_flight += 1
        self.idle.clear()
        return True

    def _new_consumer_thread(self) -> NotingThread:
        return NotingThread(self, loop=self.loop, beacon=self.beacon)

    def note(self, tp: TP) -> tuple[int, str]:
        """What had been committed when reading began or went back: offset and note."""
        return self._notes.get(tp, (-1, ""))

    async def finish(self, epoch: Epoch, notes: Mapping[TP, str]) -> None:
        """Commit the end of an accepted epoch. Epochs are finished in the order in which they began.

        Raises:
            CommitRefusedError: the group has given the partitions to another worker.
        """
        offsets = epoch.end
        if not await self._commit_noted(offsets, notes):
            raise CommitRefusedError("offset commit refused: another worker owns these partitions now")
        self._committed_offset.update(offsets)
        self._in_flight -= 1
        if not self._in_flight:
            self.idle.set()

    async def _commit_noted(self, offsets: Mapping[TP, int], notes: Mapping[TP, str]) -> bool:
        is_taken = await cast(NotingThread, self._thread).commit_noted(offsets, notes)
        if is_taken:
            for tp, end in offsets.items():
                self._done[tp] = end
                self._arrivals.committed(tp, end)
        return is_taken

    def stop_flow(self) -> None:
        """Called by Faust when partitions go or the worker stops: all that was fetched is void."""
        self.fence += 1
        super().stop_flow()

    async def wait_empty(self) -> None:
        """Called by Faust before it lets go of partitions: the epochs in hand are finished first."""
        await self.idle.wait()

    async def perform_seek(self) -> None:
        """Put every source partition to its committed offset, one without a commit to its start.

        Where retention has deleted records that were not read, the position moves to what is left; where the topic ends
        before the committed offset (it was created anew), to its start. Both are said.
        """
        await self.idle.wait()
        began = time.monotonic()
        sources = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        thread = cast(NotingThread, self._thread)
        self._notes = await thread.notes(sources)
        committed = {tp: offset for tp, (offset, _) in self._notes.items()}
        starts, ends = await self._bounds(sources, committed)
        positions = {tp: position(tp, committed.get(tp), starts.get(tp) or 0, ends.get(tp) or 0) for tp in sources}
        await thread.seek_all(positions)
        self._read_offset.update(positions)
        self._committed_offset.update(committed)
        moved = {tp: at for tp, at in positions.items() if at != committed.get(tp, at)}
        if moved and await self._commit(moved):
            self._committed_offset.update(moved)
        self.alignment.clear()
        self._arrivals.clear()
        self._done, self._next = dict(positions), positions
        self._tail = dict(self._next)
        self._rewind = False
        logger.info("Positions of %d partitions set in %.3f s", len(sources), time.monotonic() - began)

    async def _bounds(
        self, sources: Sequence[TP], committed: Mapping[TP, int]
    ) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        """Starts of all, and ends of those with a committed offset: nothing else needs them."""
        read = [tp for tp in sources if tp in committed]
        starts = self.earliest_offsets(*sources) if sources else _nothing()
        ends = self.highwaters(*read) if read else _nothing()
        found = await asyncio.gather(starts, ends)
        return found[0], found[1]

    async def verify_all_partitions_active(self) -> None:
        """Stock Faust watches per-record acks here; there are none."""

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001  # faust's own protocol
                await asyncio.sleep(0)
                if self._rewind and self.flow_active:
                    await self.perform_seek()
                fence, generation = self.fence, self.app.consumer_generation_id
                records, _ = await self._wait_next_records(SETTLE_S if len(self.alignment) else 1.0)
                if fence != self.fence or generation != self.app.consumer_generation_id:
                    self._rewind = True  # fetched under an old assignment
                    continue
                await self._take(records or {})
                if self._is_due():
                    await self._deliver(fence)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    def _is_due(self) -> bool:
        """Whether to hand over now: it is time, and no epoch waits for the pipeline."""
        return self._cuts.is_due(len(self.alignment), self._in_flight) and self._channel().queue.empty()

    def _channel(self) -> Any:
        conductor: Any = self.app.topics
        (channel,) = conductor._topic_name_index[self._pace.topics[0]]  # noqa: SLF001  # no public way
        return channel

    async def _deliver(self, fence: int) -> None:
        """Hand over what is due through the one channel; its bounded queue is the last backpressure."""
        chunks, start = self.alignment.release(self._is_behind, self._cuts.limit)
        first_at = self._cuts.cut(sum(map(len, chunks.values())))
        if chunks and not failpoints.passed("hand_over"):
            epoch = Epoch(fence, chunks, start, first_at)
            await self.wait_first(self._channel().queue.put(epoch), self.suspend_flow.wait())

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  # faust's signature
        """Nothing is fetched for partitions whose records wait for another topic, nor beyond a full epoch."""
        active = (active_partitions or set()) - self.alignment.waiting
        if not active or len(self.alignment) >= self._pace.epoch_records:
            await asyncio.sleep(SETTLE_S)
            return {}
        return await super()._getmany(active, timeout)

    async def _take(self, records: Mapping[Any, Sequence[RawRecord]]) -> None:
        """Keep those records that continue the read positions."""
        active = self._get_active_partitions()
        if not len(self.alignment):
            self._cuts.begin()
        for aiokafka_tp, found in records.items():
            tp = TP(*aiokafka_tp)
            if tp not in active or self._is_changelog_tp(tp):
                continue
            expected = self._next.get(tp)
            if expected is None:
                self._rewind = True
                return
            fresh = [r for r in found if r.offset >= expected] if found and found[0].offset < expected else found
            if not fresh or await self._is_suspicious_gap(tp, expected, fresh[0].offset):
                continue
            self._next[tp] = fresh[-1].offset + 1
            self._arrivals.note(tp, fresh[0].offset, fresh[0].timestamp)
            self.alignment.add(tp, expected, fresh)

    def places(self) -> dict[TP, Place]:
        """How far each source partition is; from any thread."""
        places = {tp: (self._done.get(tp, read), read) for tp, read in list(self._next.items())}
        return {tp: Place(done, read, self._arrivals.oldest_ms(tp, done)) for tp, (done, read) in places.items()}

    def _is_behind(self, tp: TP) -> bool:
        """Whether more records of an assigned partition wait at the broker than live traffic leaves there."""
        position = self._next.get(tp)
        if position is None or tp not in self._get_active_partitions():
            return False
        end = self.highwater(tp)
        return end is not None and end - position > LIVE_RECORDS

    async def _is_suspicious_gap(self, tp: TP, expected: int, first: int) -> bool:
        """Offsets may be missing for good (transaction markers, retention); ask the broker once more to know."""
        gap = (tp, expected, first)
        if first == expected or gap in self._known_gaps:
            return False
        self._known_gaps.add(gap)
        logger.warning("%s-%d: offset %d expected, %d received: reading again", tp.topic, tp.partition, expected, first)
        await self._seek(tp, expected)
        return True


async def _nothing() -> Mapping[TP, int]:
    return {}


def position(tp: TP, committed: int | None, start: int, end: int) -> int:
    """Where to read on, given the committed offset and the bounds of what the broker holds."""
    if committed is None or start <= committed <= end:
        return start if committed is None else committed
    if committed < start:
        logger.error(
            "%s-%d: %d records were deleted by the topic's retention before they were read",
            tp.topic,
            tp.partition,
            start - committed,
        )
    else:
        logger.error(
            "%s-%d: offset %d is committed, the topic ends at %d: it was created anew and is read from its start",
            tp.topic,
            tp.partition,
            committed,
            end,
        )
    return start


class Transport(driver.Transport):
    """Faust's aiokafka transport with the chunked consumer."""

    Consumer = Consumer
    #: Set by the application before the consumer is made.
    pace = Pace()
