"""Canaries: customers made to be seen, sent on a schedule that nothing moves.

Canary n is due ``n / rate`` seconds after the start. It is a fresh customer with one touchpoint, one conversion a
second later, and the channel of its *slot*. Slots are taken in turn and each belongs to one partition, so a slot's
canaries are processed in order, and the k-th of them is visible when its channel counts k conversions. That is exact
without asking for single canaries: one aggregate over all slots tells of all of them. Ages count from when a canary was
due, not from when it was sent (no coordinated omission), to the end of the look that saw it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from cli import percentiles

#: More than any deadline has canaries of one slot apart at 20 a second: three seconds.
SLOTS: Final = 64
CONVERSION_TYPE: Final = "canary"
QUANTILES: Final = (0.5, 0.9, 0.99, 0.999)


class Message(NamedTuple):
    """One event of a canary."""

    kind: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Flock:
    """All canaries of one measurement; ``tag`` tells them from every other's.

    Args:
        tag: lower-case letters and digits.
        rate: canaries a second.
        count: how many.
        partitions: of the topics.
        partition_of: where a key goes.
    """

    tag: str
    rate: float
    count: int
    partitions: int
    partition_of: Callable[[bytes], int]

    @property
    def prefix(self) -> str:
        """How every id and channel begins."""
        return f"canary-{self.tag}-"

    def due_s(self, number: int) -> float:
        """Seconds after the start."""
        return number / self.rate

    def channel(self, slot: int) -> str:
        """The channel of a slot."""
        return f"{self.prefix}{slot:02d}"

    def due_by_slot(self) -> list[list[float]]:
        """When the canaries of each slot are due, in order."""
        return [[self.due_s(n) for n in range(slot, self.count, SLOTS)] for slot in range(SLOTS)]

    def customer(self, number: int) -> str:
        """A customer on the partition of the canary's slot."""
        wanted = number % SLOTS % self.partitions
        names = (f"{self.prefix}{number}-{salt}" for salt in range(1_000_000))
        return next(name for name in names if self.partition_of(name.encode()) == wanted)

    def messages(self, number: int, at_us: int) -> Iterator[Message]:
        """The touchpoint and the conversion of a canary that converts at ``at_us``."""
        customer = self.customer(number)
        key, channel = customer.encode(), self.channel(number % SLOTS)
        touch = {
            "event_id": f"{customer}-t",
            "customer_id": customer,
            "occurred_at": at_us - 1_000_000,
            "channel": channel,
        }
        conversion = {
            "event_id": customer,
            "customer_id": customer,
            "occurred_at": at_us,
            "conversion_type": CONVERSION_TYPE,
            "value_micros": 1_000_000,
            "currency": "USD",
        }
        yield Message("touchpoint", key, msgspec.json.encode(touch))
        yield Message("conversion", key, msgspec.json.encode(conversion))


@dataclass
class Sightings:
    """What one place has shown so far; ``look`` takes cumulated counts by slot. Times are seconds since the start."""

    due: list[list[float]]
    ages: list[float] = field(default_factory=list)
    surplus: int = 0
    looks: list[float] = field(default_factory=list)
    look_seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen = [0] * len(self.due)

    def look(self, counts: Mapping[int, int], at: float) -> None:
        """Canaries that are counted for the first time are visible since ``at``, at the latest."""
        self.looks.append(at)
        for slot, count in counts.items():
            due, seen = self.due[slot], self._seen[slot]
            if count > len(due):
                self.surplus = max(self.surplus, count - len(due))
            for place in range(seen, min(count, len(due))):
                self.ages.append(at - due[place])
            self._seen[slot] = max(seen, min(count, len(due)))

    @property
    def missing(self) -> int:
        """How many were not seen."""
        return sum(map(len, self.due)) - sum(self._seen)

    @property
    def longest_gap_s(self) -> float:
        """The longest time between two looks: no age is known more exactly."""
        return max([b - a for a, b in zip(self.looks, self.looks[1:], strict=False)], default=0.0)


def quantiles(ages: Sequence[float]) -> dict[str, float]:
    """Nearest-rank percentiles of all ages, and the largest; empty if there are none."""
    ranked = sorted(ages)
    if not ranked:
        return {}
    found = {f"p{q * 100:g}": percentiles.at(ranked, q) for q in QUANTILES}
    return {**found, "max": ranked[-1]}


class Watcher(threading.Thread):
    """Looks every ``every_s`` seconds until it is stopped; a look that fails is counted and the next one tried."""

    def __init__(
        self, look: Callable[[], Mapping[int, int]], sightings: Sightings, start: float, every_s: float
    ) -> None:
        super().__init__(daemon=True)
        self._look, self._start, self._every_s = look, start, every_s
        self.sightings = sightings
        self.failures = 0
        self.last_failure = ""
        self._stopped = threading.Event()

    def run(self) -> None:
        """The thread."""
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                counts = self._look()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told at the end
                self.failures += 1
                self.last_failure = f"{type(error).__name__}: {error}"
            else:
                self.sightings.look(counts, time.monotonic() - self._start)
                self.sightings.look_seconds.append(time.monotonic() - began)
            self._stopped.wait(max(0.0, began + self._every_s - time.monotonic()))

    def stop(self) -> None:
        """After the look under way."""
        self._stopped.set()
        self.join()


def send(
    flock: Flock,
    producer: Any,
    topics: Mapping[str, str],
    start: float,
    clock: Callable[[], float] = time.monotonic,
    wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> list[float]:
    """Send every canary when it is due, ``start`` being a time of ``clock``; ages at which the broker had the events.

    Raises:
        RuntimeError: the broker did not confirm all.
    """
    confirmed: list[float] = []
    started_us = wall_us() - round((clock() - start) * 1e6)

    def delivered(due: float, error: Any) -> None:
        if error is None:
            confirmed.append(clock() - start - due)

    for number in range(flock.count):
        due = flock.due_s(number)
        while (early := start + due - clock()) > 0:
            producer.poll(early)
        for message in flock.messages(number, started_us + round(due * 1e6)):
            report = partial(delivered, due)
            producer.produce(
                topics[message.kind],
                message.value,
                message.key,
                on_delivery=lambda error, _, report=report: report(error),
            )
        producer.poll(0)
    producer.flush(60)
    if len(confirmed) != 2 * flock.count:
        raise RuntimeError(f"the broker confirmed {len(confirmed)} of {2 * flock.count} events of the canaries")
    return confirmed
