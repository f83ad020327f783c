"""A pool of records made beforehand and sent over and over, each time with new ids and later times.

Making a record costs ten times as much as sending it. A pool holds the first records of a population as bytes; a *lap*
sends all of them, and lap k is lap 0 with another hash in every id and every time moved by k times the span of the
pool: the same customers come back and do the same again. So keys, partitions, references between events and the order
of touchpoints and conversions stay right, and every lap's events are new.
Malformed records are sent as they are. Which of two spend reports of one day holds is decided by the later lap.

``records`` tells what was sent as events, made by the population anew and not read from the bytes.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import count, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from loadgen.patches import HASH_CHARS, Patches, places, widened
from loadgen.tally import Tally
from schemas.events import ConversionWireEvent, SpendEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadgen.causal import CausalReport
    from loadgen.population import Population
    from loadgen.records import Event, Record

#: Records patched at a time: about a millisecond of work, so that the pace is kept.
SLAB: Final = 4_096
_DAY_US: Final = 86_400_000_000
#: Odd, so that the hashes of 2^32 laps differ.
_NEXT_HASH: Final = 0x9E3779B1


class Outgoing(NamedTuple):
    """What a sender needs of a record."""

    topic: str
    key: bytes
    value: bytes


class _Slab:
    """Neighbours of the pool: their bytes end to end, and where to patch them."""

    def __init__(self, records: list[Record], id_hash: bytes) -> None:
        self.topics = [r.topic for r in records]
        self.keys = [r.key for r in records]
        self.content = np.frombuffer(b"".join([r.value for r in records]), np.uint8)
        self.ends = np.cumsum([len(r.value) for r in records]).tolist()
        self.starts = [0, *self.ends[:-1]]
        found = []
        for start, record in zip(self.starts, records, strict=True):
            if record.event is not None:
                found += [(kind, start + at, n) for kind, at, n in places(record.value, record.event, id_hash)]
        self._patches = Patches(found)

    def lap(self, id_hash: bytes, shift_us: int) -> list[bytes]:
        """The values of a lap."""
        content = self.content.copy()
        self._patches.apply(content, id_hash, shift_us)
        whole = content.tobytes()
        return [whole[a:b] for a, b in zip(self.starts, self.ends, strict=True)]


class Pool:
    """The first ``size`` records of a population that runs at an even pace (``live_rate``).

    Raises:
        ValueError: the population follows a calendar, so its laps cannot follow each other evenly.
    """

    def __init__(self, population: Population, size: int) -> None:
        if population.live_rate is None or size < 1:
            raise ValueError(f"size={size}: a pool needs at least one record and a population at an even pace")
        self.population, self._size = population, size
        self._id_hash = population.id_hash.encode()
        self._delay_us = 0
        self.span_us = -(-round(size * 1e6 / population.live_rate) // 1000) * 1000
        self._slabs: list[_Slab] = []
        self._marks: list[tuple[str, bool, str | None]] = []
        sizes: list[int] = []
        records = self._first_lap()
        while found := list(islice(records, SLAB)):
            self._slabs.append(_Slab(found, self._id_hash))
            self._marks += [(r.kind, r.is_duplicate, r.expected_reason) for r in found]
            sizes += [len(r.value) for r in found]
        self._bytes_before = np.concatenate([[0], np.cumsum(sizes)])

    def __len__(self) -> int:
        return len(self._marks)

    def begin_at(self, at_us: int) -> None:
        """Move everything, by whole milliseconds: the first lap begins then and not at the population's start."""
        self._delay_us = (at_us - self.population.start_at_us) // 1000 * 1000

    def outgoing(self) -> Iterator[Outgoing]:
        """Lap after lap, without end."""
        for lap in count():
            id_hash, shift_us = self.hash_of(lap), self._shift_us(lap)
            for slab in self._slabs:
                yield from map(Outgoing, slab.topics, slab.keys, slab.lap(id_hash, shift_us))

    def hash_of(self, lap: int) -> bytes:
        """The hash in the ids of a lap."""
        return b"%08x" % ((int(self._id_hash, 16) + lap * _NEXT_HASH) & 0xFFFFFFFF)

    def records(self, sent: int) -> Iterator[Record]:
        """The first ``sent`` records with their events: for the truth, not for speed."""
        values = (out.value for out in self.outgoing())
        for lap in range(-(-sent // len(self))):
            for record in islice(self._first_lap(), sent - lap * len(self)):
                event = record.event and self._moved(record.event, lap)
                yield record._replace(value=next(values), event=event)

    def tally(self, sent: int) -> Tally:
        """Counts of the first ``sent`` records."""
        laps, rest = divmod(sent, len(self))
        whole, part = Counter(self._marks) if laps else Counter(), Counter(self._marks[:rest])
        tally = Tally(records=sent, value_bytes=int(laps * self._bytes_before[-1] + self._bytes_before[rest]))
        for mark in {*whole, *part}:
            kind, is_duplicate, reason = mark
            number = laps * whole[mark] + part[mark]
            if is_duplicate:
                tally.duplicates += number
            elif reason is not None:
                tally.malformed[reason] += number
            else:
                tally.valid[kind] += number
        return tally

    def causal(self, sent: int) -> CausalReport:
        """The truth about the journeys that were decided when the ``sent``-th record was sent."""
        laps, rest = divmod(sent, len(self))
        return self._causal_of_first(len(self)) * laps + self._causal_of_first(rest)

    def _causal_of_first(self, number: int) -> CausalReport:
        population = self.population.again()
        deque(population.records(number), maxlen=0)
        return population.causal(number)

    def _first_lap(self) -> Iterator[Record]:
        """The population's records from its beginning, with times in full."""
        for record in self.population.again().records(self._size):
            yield record if record.event is None else record._replace(value=widened(record.value))

    def _moved(self, event: Event, lap: int) -> Event:
        shift = self._shift_us(lap)
        ids = {"event_id": self._renamed(event.event_id, lap)}
        if isinstance(event, SpendEvent):
            return msgspec.structs.replace(event, **ids, spend_day=event.spend_day + shift // _DAY_US)
        if isinstance(event, ConversionWireEvent):
            for name in ("order_id", "adjusts"):
                if (value := getattr(event, name)) is not None:
                    ids[name] = self._renamed(value, lap)
        return msgspec.structs.replace(event, **ids, occurred_at_us=event.occurred_at_us + shift)

    def _shift_us(self, lap: int) -> int:
        return self._delay_us + lap * self.span_us

    def _renamed(self, name: str, lap: int) -> str:
        at = name.index(self._id_hash.decode())
        return name[:at] + self.hash_of(lap).decode() + name[at + HASH_CHARS :]
