"""Canaries that leave next to nothing behind: one conversion per partition and day, sent again and again.

A conversion sent once more with a later ``sent_at`` is another version of the same event: it replaces the row and
raises its ``rev`` by one (``attribution.journey``). So the n-th send can be seen exactly when ``rev`` has come to n,
however many were sent meanwhile, and journeys, facts and reports hold one conversion of type ``canary``, worth 0, per
partition and day. A send that Kafka did not confirm may or may not arrive: the partition goes on with another one.

Pure: times are given, in seconds of one clock for ages and in microseconds of the wall clock for events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

CONVERSION_TYPE: Final = "canary"
DAY_US: Final = 86_400_000_000


@dataclass(slots=True)
class _Bird:
    """The conversion of one partition; ``waiting`` are its sends that were not seen, as number and time."""

    name: str
    sent: int = 0
    waiting: deque[tuple[int, float]] = field(default_factory=deque)


class CanaryBook:
    """What was sent and what was seen.

    Args:
        tag: tells this process from every other: small letters and digits.
        partitions: of the topic of conversions.
        partition_of: where a key goes.
        now_us: the wall clock at the start.
        now_s: the clock of ages at the start.
    """

    def __init__(
        self, tag: str, partitions: int, partition_of: Callable[[bytes], int], *, now_us: int, now_s: float
    ) -> None:
        self._tag, self._partition_of = tag, partition_of
        self._salt = 0
        self.day_us = now_us // DAY_US * DAY_US
        self._newest_s = [now_s] * partitions
        self._birds = [_Bird(self._name(partition)) for partition in range(partitions)]

    @property
    def conversions(self) -> list[str]:
        """Ids to look for, at ``day_us``."""
        return [bird.name for bird in self._birds]

    @property
    def waiting(self) -> int:
        """Sends that were not seen."""
        return sum(len(bird.waiting) for bird in self._birds)

    def begin_day(self, now_us: int) -> None:
        """Go on with conversions of the new day when one has begun; what was not seen of the old ones is given up."""
        day_us = now_us // DAY_US * DAY_US
        if day_us != self.day_us:
            self.day_us = day_us
            self._birds = [_Bird(self._name(partition)) for partition in range(len(self._birds))]

    def send(self, partition: int, *, now_us: int, now_s: float) -> tuple[bytes, bytes]:
        """Key and value of the next canary of a partition; ``now_us`` is later than at its last."""
        bird = self._birds[partition]
        bird.sent += 1
        bird.waiting.append((bird.sent, now_s))
        event = {
            "event_id": bird.name,
            "customer_id": bird.name,
            "occurred_at": self.day_us,
            "sent_at": now_us,
            "conversion_type": CONVERSION_TYPE,
            "value_micros": 0,
            "currency": "USD",
        }
        return bird.name.encode(), msgspec.json.encode(event)

    def lost(self, name: str) -> None:
        """Kafka did not confirm a send of this conversion."""
        for partition, bird in enumerate(self._birds):
            if bird.name == name:
                self._birds[partition] = _Bird(self._name(partition))

    def look(self, revs: Mapping[str, int], now_s: float) -> Iterator[float]:
        """Take over how often each conversion was written; the ages of the sends that are seen for the first time."""
        for partition, bird in enumerate(self._birds):
            while bird.waiting and bird.waiting[0][0] <= revs.get(bird.name, 0):
                _, sent_s = bird.waiting.popleft()
                self._newest_s[partition] = max(self._newest_s[partition], sent_s)
                yield now_s - sent_s

    def ages(self, now_s: float) -> list[float]:
        """By partition: since the newest send that was seen; before the first, since the start."""
        return [now_s - newest for newest in self._newest_s]

    def _name(self, partition: int) -> str:
        while True:
            self._salt += 1
            name = f"canary-{self._tag}-{self._salt}"
            if self._partition_of(name.encode()) == partition:
                return name
