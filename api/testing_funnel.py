"""The double's answers to ``funnel_store.Funnels``, person by person, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from api.funnel_store import REASONS, FunnelAsked, Step, Unattributed, UnattributedAsked, UnattributedRow
from attribution.config import AttributionConfig
from attribution.identity import Identities, Link, resolve_links

if TYPE_CHECKING:
    from api.store import JourneyRow, ResultRow

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryFunnels:
    """Mixed into the double, whose facts these are."""

    __slots__ = ()

    stored: dict[str, list[ResultRow]]
    events: dict[str, list[JourneyRow]]
    links: list[Link]
    config: AttributionConfig
    ping: Callable[[], None]
    _factor: Callable[[date, str, str, int], Fraction | None]

    def funnel(self, asked: FunnelAsked) -> list[int]:
        """Persons by step."""
        self.ping()
        touches, conversions = self._people()
        reached = [0] * len(asked.steps)
        for person in {*touches, *conversions}:
            happened = [
                [
                    *(_us(t.occurred_at) for t in touches.get(person, ()) if _is_touch(step, t)),
                    *(
                        _us(c.converted_at)
                        for c in conversions.get(person, ())
                        if step == ("conversion", c.conversion_type)
                    ),
                ]
                for step in asked.steps
            ]
            entries = [at for at in happened[0] if asked.first_us <= at < asked.last_us]
            level = max((_level(at, at + asked.window_us, happened) for at in entries), default=0)
            for n in range(level):
                reached[n] += 1
        return reached

    def conversion_types(self) -> list[str]:
        """Types of the conversions there are."""
        self.ping()
        return sorted({r.conversion_type for rows in self.stored.values() for r in rows})

    def unattributed(self, asked: UnattributedAsked) -> Unattributed:
        """Conversions without an eligible touch, by reason."""
        self.ping()
        sums: dict[tuple[date, str, int, str], list[int]] = defaultdict(list)
        touches, conversions = self._people()
        for person, mine in conversions.items():
            for found in mine:
                day = found.converted_at.date()
                is_meant = asked.start <= day <= asked.end and asked.conversion_type in {"", found.conversion_type}
                if is_meant and [c.touchpoint_id for c in found.credits] == [""]:
                    stage = self._furthest(found, _once(touches.get(person, [])), mine)
                    sums[day, found.conversion_type, stage, found.currency].append(found.value_micros)
        rows: dict[tuple[date, str, int], list[int]] = defaultdict(lambda: [0, 0])
        left_out: set[str] = set()
        converted: set[str] = set()
        for (day, kind, stage, own), amounts in sums.items():
            factor = self._factor(day, own, asked.currency, asked.fx_max_age_days)
            if own != asked.currency:
                (left_out if factor is None else converted).add(own)
            if factor is not None:
                row = rows[_first(day, asked.bucket), kind, stage]
                row[0] += len(amounts)
                row[1] += round(factor * sum(amounts))
        found_rows = [UnattributedRow(d, k, REASONS[stage], *of) for (d, k, stage), of in rows.items()]
        found_rows.sort(key=lambda r: (r.day, r.conversion_type, r.reason))
        return Unattributed(found_rows, self.config, sorted(left_out), sorted(converted))

    def _furthest(self, found: ResultRow, touches: list[JourneyRow], others: list[ResultRow]) -> int:
        """How many tests the best touch came to, as an index into ``REASONS``."""
        at, order = found.converted_at, (found.converted_at, found.conversion_id)
        low = at - timedelta(microseconds=self.config.lookback_us)
        resets = [
            o.converted_at
            for o in others
            if o.conversion_type in self.config.reset_on_conversion and (o.converted_at, o.conversion_id) < order
        ]

        def stage(touch: JourneyRow) -> int:
            if touch.occurred_at > at:
                return 1
            if touch.occurred_at < low:
                return 2
            if touch.channel.casefold() in self.config.folded_exclusions:
                return 3
            return 4 if any(touch.occurred_at <= reset for reset in resets) else 5

        return max(map(stage, touches), default=0)

    def _people(self) -> tuple[dict[str, list[JourneyRow]], dict[str, list[ResultRow]]]:
        """Touches, each delivered row once, and live conversions by person."""
        people = resolve_links(self.links)
        touches: dict[str, list[JourneyRow]] = defaultdict(list)
        for customer_id, events in self.events.items():
            newest = {(e.occurred_at, e.event_id): e for e in events if e.kind == "touchpoint"}
            touches[people.survivor(customer_id)] += newest.values()
        return touches, dict(_conversions(self.stored, people))


def _conversions(stored: dict[str, list[ResultRow]], people: Identities) -> Iterator[tuple[str, list[ResultRow]]]:
    found: dict[str, dict[str, ResultRow]] = defaultdict(dict)
    for customer_id, rows in stored.items():
        found[people.survivor(customer_id)].update({r.conversion_id: r for r in rows})
    return ((person, list(of.values())) for person, of in found.items())


def _once(touches: list[JourneyRow]) -> list[JourneyRow]:
    """Of contents under one id the smallest, as in a journey."""
    best: dict[str, JourneyRow] = {}
    for touch in sorted(touches, key=lambda t: (t.occurred_at, t.channel, t.campaign)):
        best.setdefault(touch.event_id, touch)
    return list(best.values())


def _is_touch(step: Step, touch: JourneyRow) -> bool:
    return step.kind == "any" or step in {("touch", touch.channel), ("touch_type", touch.touch_type)}


def _level(at: int, until: int, happened: list[list[int]]) -> int:
    """Steps that were done from an entry on: each at its earliest after the one before."""
    for n, times in enumerate(happened[1:], start=1):
        later = [t for t in times if at < t <= until]
        if not later:
            return n
        at = min(later)
    return len(happened)


def _first(day: date, bucket: str) -> date:
    return {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[bucket]


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
