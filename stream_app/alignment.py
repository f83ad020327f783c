"""Reads the topics of one partition number side by side in time, as far as it is cheap.

While catching up, a small topic would be read to its end before a large one has begun: conversions would be
attributed without their touchpoints and again with every touchpoint that follows. The result is the same in any
order; the work is not. So records newer than what has been read of a topic that is still behind wait for it, at
most ``MAX_WAIT_S``. A topic that is not behind holds nobody up: live traffic, which always has some records that were
not fetched yet, passes at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from faust.types import TP

from schemas.records import RawRecord

#: How long records wait for a topic of which nothing new arrives (a broker in trouble, for instance).
MAX_WAIT_S: Final = 2.0

_FOREVER: Final = 1 << 62


class Alignment:
    """Records that were fetched and not handed over yet.

    ``topics`` names those that are aligned (none: everything passes). ``waiting`` are the partitions with
    records left: nothing more is fetched for them.
    """

    def __init__(self, topics: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.topics = frozenset(topics)
        self.waiting: set[TP] = set()
        self._clock = clock
        self._since = 0.0
        self._fetched: dict[TP, tuple[int, Sequence[RawRecord]]] = {}
        self._newest_ms: dict[TP, int] = {}

    def __len__(self) -> int:
        return sum(len(records) for _, records in self._fetched.values())

    def clear(self) -> None:
        """Forget everything: the positions have been moved."""
        self.waiting.clear()
        self._fetched.clear()
        self._newest_ms.clear()

    def add(self, tp: TP, start: int, records: Sequence[RawRecord]) -> None:
        """Take records that were fetched from offset ``start`` on."""
        if tp.topic in self.topics:
            self._newest_ms[tp] = max([self._newest_ms.get(tp, 0), *[r.timestamp for r in records]])
        if tp in self._fetched:
            start, old = self._fetched[tp]
            records = [*old, *records]
        self._fetched[tp] = (start, records)
        self._since = self._clock()

    def release(
        self, is_behind: Callable[[TP], bool], limit: int = _FOREVER
    ) -> tuple[dict[TP, Sequence[RawRecord]], dict[TP, int]]:
        """Records whose turn it is, about ``limit`` at most, and the offset at which each partition's chunk starts."""
        chunks: dict[TP, Sequence[RawRecord]] = {}
        start: dict[TP, int] = {}
        has_waited = self._clock() - self._since > MAX_WAIT_S
        left: dict[TP, tuple[int, Sequence[RawRecord]]] = {}
        due = {
            tp: len(records) if has_waited else self._due(tp, records, is_behind)
            for tp, (_, records) in self._fetched.items()
        }
        if (total := sum(due.values())) > limit:
            due = self._first(limit / total, due)
        for tp, (first, records) in self._fetched.items():
            count = due[tp]
            if count:
                chunks[tp], start[tp] = records[:count], first
            if count < len(records):
                left[tp] = (records[count - 1].offset + 1 if count else first, records[count:])
        self._fetched = left
        self.waiting = set(left)
        return chunks, start

    def _first(self, share: float, due: Mapping[TP, int]) -> dict[TP, int]:
        """A share of what is due: of each partition number's largest topic, and of the others what is not newer."""
        found: dict[TP, int] = {}
        for number in {tp.partition for tp in due}:
            group = {tp: count for tp, count in due.items() if tp.partition == number}
            most = max(group, key=lambda tp: group[tp])
            taken = self._fetched[most][1][: int(group[most] * share) + 1]
            newest = max(r.timestamp for r in taken)
            for tp, count in group.items():
                records = self._fetched[tp][1]
                found[tp] = next((i for i in range(count) if records[i].timestamp > newest), count)
            found[most] = min(len(taken), group[most])
        return found

    def _due(self, tp: TP, records: Sequence[RawRecord], is_behind: Callable[[TP], bool]) -> int:
        """How many of the first records are not ahead of another topic of the same partition number."""
        if tp.topic not in self.topics:
            return len(records)
        others = [TP(topic, tp.partition) for topic in self.topics if topic != tp.topic]
        limit = min([self._newest_ms.get(o, 0) for o in others if is_behind(o)], default=_FOREVER)
        if self._newest_ms[tp] <= limit:
            return len(records)
        return next((i for i, r in enumerate(records) if r.timestamp > limit), len(records))
