"""How far a worker is behind, in records and in seconds, per topic partition; asked beside its own consumer.

``Arrivals`` notes when what was fetched had come to the broker, so that the age of the oldest record that is not
committed is known without asking anybody. ``LagReader`` asks the broker where partitions end, and, where records seem
to wait that were not fetched, looks for the first: markers of transactions and deleted records leave a difference of
offsets where there is nothing to read.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # missing in its types
from faust.types import TP

TIMEOUT_S: Final = 5.0
#: Partitions in which one look searches for a record, each at most for as long.
_SEARCHES: Final = 4
_SEARCH_S: Final = 1.0


class Place(NamedTuple):
    """Of one topic partition: ``done`` offsets are committed, those before ``read`` were fetched.

    ``oldest_ms``: when the oldest record that was fetched and is not committed came to the broker; None: there is none.
    """

    done: int
    read: int
    oldest_ms: int | None


class Lag(NamedTuple):
    """Behind by so many records; the oldest of them is that old."""

    records: int
    seconds: float


class Arrivals:
    """When fetched records came to the broker: that of the first of each fetch, an upper bound for the others' ages."""

    def __init__(self) -> None:
        self._fetched: dict[TP, deque[tuple[int, int]]] = {}

    def note(self, tp: TP, offset: int, timestamp_ms: int) -> None:
        """A fetch begins with this record."""
        self._fetched.setdefault(tp, deque()).append((offset, timestamp_ms))

    def committed(self, tp: TP, end: int) -> None:
        """Everything before ``end`` is done."""
        fetched = self._fetched.get(tp)
        while fetched and len(fetched) > 1 and fetched[1][0] <= end:
            fetched.popleft()

    def clear(self) -> None:
        """Positions have been moved: what was fetched is void."""
        self._fetched = {}

    def oldest_ms(self, tp: TP, done: int) -> int | None:
        """Of the fetch that holds the record at ``done`` or, if there is none, the next; None: nothing was fetched.

        Meaningless when all that was fetched is done.
        """
        found: int | None = None
        for offset, timestamp_ms in tuple(self._fetched.get(tp, ())):
            if found is not None and offset > done:
                break
            found = timestamp_ms
        return found


def lag_of(place: Place, end: int, first_unread_ms: int | None, now_ms: int) -> Lag:
    """Of one topic partition.

    Args:
        place: how far the worker is.
        end: where the partition ends at the broker, as far as is known.
        first_unread_ms: when the record behind those that were fetched came to the broker; None: not known.
        now_ms: now.
    """
    records = max(end, place.read) - place.done
    if records <= 0:
        return Lag(0, 0.0)
    oldest_ms = place.oldest_ms if place.read > place.done else first_unread_ms
    return Lag(records, 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1_000)


class LagReader:
    """Ends of partitions, as of the last look, and the first records there that were not fetched. One thread at a time.

    Args:
        servers: the brokers.
        places: of the partitions that the worker has now; from any thread.
    """

    def __init__(self, servers: str, places: Callable[[], Mapping[TP, Place]]) -> None:
        self._places = places
        quiet: dict[str, Any] = {"bootstrap.servers": servers, "log_level": 0, "logger": logging.getLogger("kafka.lag")}
        self._admin = AdminClient(quiet)
        self._reader = Consumer(
            {
                **quiet,
                "group.id": "lag-reader",  # never joined, nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": 65_536,
                "fetch.wait.max.ms": 20,
            }
        )
        self._ends: dict[TP, int] = {}
        self._waiting: dict[TP, tuple[int, int]] = {}  # read position, and when the record there came to the broker
        self._empty: dict[TP, int] = {}  # nothing to read before this offset

    def look(self) -> None:
        """Ask the broker. Blocks for some seconds at most; what it does not answer stays as it was."""
        places = self._places()
        wanted = {TopicPartition(*tp): OffsetSpec.latest() for tp in places}  # type: ignore[no-untyped-call]  # same
        if not wanted:
            self._ends = {}
            return
        found = self._admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
        ends = {}
        for place, future in found.items():
            tp = TP(place.topic, place.partition)
            try:
                ends[tp] = int(future.result(TIMEOUT_S).offset)
            except (KafkaException, TimeoutError):
                if tp in self._ends:
                    ends[tp] = self._ends[tp]
        unread = [tp for tp, end in ends.items() if end > max(places[tp].read, self._empty.get(tp, 0))]
        self._waiting = {tp: at for tp, at in self._waiting.items() if tp in unread and at[0] == places[tp].read}
        for tp in [tp for tp in unread if tp not in self._waiting][:_SEARCHES]:
            self._search(tp, places[tp].read, ends[tp])
        self._ends = ends

    def lags(self, now_ms: int) -> dict[TP, Lag]:
        """Of all partitions that the worker has now."""
        found = {}
        for tp, place in self._places().items():
            end = self._ends.get(tp, 0)
            is_empty = end <= self._empty.get(tp, 0)
            waiting = self._waiting.get(tp)
            found[tp] = lag_of(place, 0 if is_empty else end, waiting[1] if waiting else None, now_ms)
        return found

    def close(self) -> None:
        """Give back the connections."""
        self._reader.close()

    def _search(self, tp: TP, start: int, end: int) -> None:
        """Look for the first record from ``start`` on."""
        self._reader.assign([TopicPartition(tp.topic, tp.partition, start)])
        for _ in range(round(_SEARCH_S / 0.1)):
            message = self._reader.poll(0.1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                self._waiting[tp] = (start, message.timestamp()[1])
                return
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
                self._empty[tp] = end
                return
