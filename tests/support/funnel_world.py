"""Persons with several ids, touches, conversions and corrections; and what funnels and reasons of them must be.

The truth is told from the events alone, by trying every sequence and by the core's own explanation: none of the code
under test is used.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache

from api.funnel_store import REASONS, FunnelAsked, Step, UnattributedAsked, UnattributedRow
from attribution.config import DAY_US, AttributionConfig
from attribution.conversions import resolve
from attribution.explain import explain
from attribution.identity import Link, resolve_links
from attribution.recompute import recomputer
from attribution.types import ConversionCredits, ConversionEvent, Touch
from clickhouse.fx import Rate
from schemas.events import ConversionWireEvent, TouchpointEvent

START = date(2026, 3, 1)
START_US = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
CONFIG = AttributionConfig(
    models=("linear", "last_touch"),
    exclude_channels=frozenset({"email"}),
    lookback_us=2 * DAY_US,
    reset_on_conversion=frozenset({"opportunity_created"}),
)
CHANNELS = ("Paid Search", "EMAIL", "Email", "Direct", "a\\b'c", 'quo"te\n', "Приём")
TOUCH_TYPES = ("click", "visit", "impression")
TYPES = ("lead_created", "opportunity_created", "purchase", "it's")
_MAX_AGE_DAYS = 1


@dataclass
class Person:
    """``late`` are touches that came too late for the run."""

    ids: list[str]
    touchpoints: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    late: set[str] = field(default_factory=set)

    def touches(self, *, counted: bool = False) -> list[Touch]:
        """In the core's form."""
        return [
            (t.occurred_at_us, t.event_id, t.channel, t.campaign or "")
            for t in self.touchpoints
            if not (counted and t.event_id in self.late)
        ]

    def events(self) -> list[ConversionEvent]:
        """In the core's form."""
        return [
            ConversionEvent(
                e.occurred_at_us,
                e.event_id,
                e.conversion_type,
                e.order_id or "",
                e.value_micros,
                e.currency,
                e.status,  # type: ignore[arg-type]  # the wire has it as text
                e.adjusts or "",
            )
            for e in self.conversions
        ]


@dataclass
class World:
    """Everything that a store is told."""

    people: list[Person]
    links: list[Link]
    rates: list[Rate]

    def credits(self) -> list[tuple[str, ConversionCredits]]:
        """What the workers write, under the surviving ids."""
        whose, recompute = resolve_links(self.links), recomputer(CONFIG)
        return [
            (whose.survivor(p.ids[0]), found)
            for p in self.people
            for found in recompute(p.touches(counted=True), p.events())
        ]

    def funnel(self, asked: FunnelAsked) -> list[int]:
        """Persons by step."""
        levels = Counter(_level(_happened(p), asked) for p in self.people)
        return [sum(n for level, n in levels.items() if level > i) for i in range(len(asked.steps))]

    def unattributed(self, asked: UnattributedAsked) -> tuple[list[UnattributedRow], list[str], list[str]]:
        """Rows, currencies left out, currencies converted."""
        sums: dict[tuple[date, str, str, str], list[int]] = defaultdict(list)
        for person in self.people:
            for day, kind, reason, currency, value in _unattributed(person):
                if asked.start <= day <= asked.end and asked.conversion_type in ("", kind):
                    sums[day, kind, reason, currency].append(value)
        rows: dict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0, 0])
        names: dict[bool, set[str]] = {True: set(), False: set()}
        for (day, kind, reason, currency), values in sums.items():
            rate = self._rate(day, currency, asked.currency)
            if currency != asked.currency:
                names[rate is not None].add(currency)
            if rate is not None:
                back = {"day": 0, "week": day.weekday(), "month": day.day - 1}[asked.bucket]
                row = rows[day - timedelta(days=back), kind, reason]
                row[0] += len(values)
                row[1] += round(rate * sum(values))
        found = [UnattributedRow(*key, *row) for key, row in sorted(rows.items())]  # type: ignore[arg-type]
        return found, sorted(names[False]), sorted(names[True])

    def _rate(self, day: date, own: str, target: str) -> Fraction | None:
        if own == target:
            return Fraction(1)
        known = {(r.day, r.currency): Fraction(r.rate) for r in self.rates}
        found = []
        for name in (own, target):
            of_day = [known.get((day - timedelta(days=n), name)) for n in range(_MAX_AGE_DAYS + 1)]
            usable = [Fraction(1)] if name == "EUR" and any(r.day <= day for r in self.rates) else of_day
            found.append(next((r for r in usable if r), None))
        return found[1] / found[0] if found[0] and found[1] else None


def build(seed: int, people: int = 90) -> World:
    """Made so that ties, edges of windows, cycles of links and corrections are common."""
    rng = random.Random(seed)
    world = World([], [], [])
    for n in range(people):
        person = Person([f"p{n}-{i}'" for i in range(rng.choice((1, 1, 2, 3, 6)))])
        world.links += _links(rng, person.ids, n)
        for i in range(rng.choice((0, 1, 2, 6))):
            _add_touch(rng, person, f"t{n}-{i}")
        for i in range(rng.choice((0, 1, 2, 4))):
            _add_conversion(rng, person, f"v{n}-{i}", f"o{n}")
        world.people.append(person)
    rng.shuffle(world.links)
    world.rates = [
        Rate(START + timedelta(days=day), "USD", Decimal(rng.randrange(1, 10**7)).scaleb(-6))
        for day in range(-5, 16)
        if rng.random() < 0.6
    ]
    return world


def _links(rng: random.Random, ids: Sequence[str], n: int) -> Iterator[Link]:
    for i in range(1, len(ids)):
        pair = [ids[i], ids[rng.randrange(i)]]
        rng.shuffle(pair)
        yield Link(START_US + rng.randrange(10), f"l{n}-{i}", *pair)
    for i in range(rng.choice((0, 0, 2))):
        yield Link(START_US + rng.randrange(10), f"again{n}-{i}", rng.choice(ids), rng.choice(ids))


def _time(rng: random.Random) -> int:
    """Quarters of days, so that many are equal; sometimes a microsecond beside."""
    return START_US + rng.randrange(-8, 41) * (DAY_US // 4) + rng.choice((0, 0, 0, -1, 1))


def _add_touch(rng: random.Random, person: Person, event_id: str) -> None:
    touch = TouchpointEvent(
        event_id, rng.choice(person.ids), _time(rng), rng.choice(CHANNELS), touch_type=rng.choice(TOUCH_TYPES)
    )
    person.touchpoints.append(touch)
    if rng.random() < 0.1:
        person.late.add(event_id)
    elif rng.random() < 0.2:
        person.touchpoints.append(touch)  # delivered again
    elif rng.random() < 0.1:
        at_us = _time(rng)
        person.touchpoints.append(
            TouchpointEvent(event_id, touch.customer_id, at_us, touch.channel, touch_type=touch.touch_type)
        )


def _add_conversion(rng: random.Random, person: Person, event_id: str, order_id: str) -> None:
    event = ConversionWireEvent(
        event_id,
        rng.choice(person.ids),
        _time(rng),
        conversion_type=rng.choice(TYPES),
        order_id=rng.choice((None, None, order_id)),
        value_micros=rng.randrange(10**9),
        currency=rng.choice(("USD", "USD", "EUR", "CHF")),
    )
    person.conversions.append(event)
    correction = rng.choice((None, None, None, ("refunded", 0), ("refunded", 5), ("cancelled", 0), ("completed", 7)))
    if correction is not None:
        status, value = correction
        person.conversions.append(
            ConversionWireEvent(
                f"{event_id}-again",
                rng.choice(person.ids),
                event.occurred_at_us + DAY_US,
                conversion_type=event.conversion_type,
                value_micros=value,
                currency=event.currency,
                status=status,
                adjusts=event_id,
            )
        )


def _happened(person: Person) -> list[tuple[int, set[Step]]]:
    """Each event with all the steps that it could be."""
    touches = [
        (t.occurred_at_us, {Step("any"), Step("touch", t.channel), Step("touch_type", t.touch_type)})
        for t in person.touchpoints
    ]
    live = [c for c in resolve(sorted(person.events())) if c.is_live]
    return [*touches, *((c.at_us, {Step("conversion", c.conversion_type)}) for c in live)]


def _level(happened: Sequence[tuple[int, set[Step]]], asked: FunnelAsked) -> int:
    """The longest beginning of the steps that some sequence of events is: every sequence is tried."""

    @cache
    def longest(n: int, entry_us: int, at_us: int) -> int:
        if n == len(asked.steps):
            return n
        following = [t for t, of in happened if asked.steps[n] in of and at_us < t <= entry_us + asked.window_us]
        return max((longest(n + 1, entry_us, t) for t in set(following)), default=n)

    entries = {t for t, of in happened if asked.steps[0] in of and asked.first_us <= t < asked.last_us}
    return max((longest(1, t, t) for t in entries), default=0)


def _unattributed(person: Person) -> Iterator[tuple[date, str, str, str, int]]:
    for found in recomputer(CONFIG)(person.touches(counted=True), person.events()):
        conversion = found.conversion
        if not conversion.is_live or found.touches[0][1]:
            continue
        explained = explain(conversion.conversion_id, person.touches(), person.events(), CONFIG)
        assert explained is not None
        verdicts = {{"eligible": "not_counted"}.get(t.verdict, t.verdict) for t in explained.touches}
        reason = max(verdicts - {"duplicate"}, key=[str(r) for r in REASONS].index, default="no_touch")
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=conversion.at_us)).date()
        yield day, conversion.conversion_type, reason, conversion.currency, conversion.value_micros
