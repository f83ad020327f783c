"""Made-up journeys with corrections in several currencies, and reports over their paths in plain Python."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from api.testing import at
from attribution.batch import attribute_all
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion, ConversionCredits, ConversionEvent, Status, Touch
from clickhouse.fx import Rate
from tests.contract.test_api_store import CHANNELS, START, START_US, Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

CONFIG = AttributionConfig(models=("first_touch", "linear"), exclude_channels=frozenset({"email"}))
CURRENCIES = ("USD", "USD", "EUR", "JPY", "CHF")
DAYS = 30
_HOUR_US = DAY_US // 24
#: Status and value of corrections: none, all taken back, cancelled, restated, more taken back than it was worth.
_FIXES: tuple[tuple[Status | None, int], ...] = (
    (None, 0),
    (None, 0),
    ("refunded", 0),
    ("cancelled", 0),
    ("completed", 77),
    ("refunded", 10**9),
)


class World(NamedTuple):
    """``before``: credits of the conversions as first sent; ``after``: of all events, deleted ones too."""

    before: Facts
    after: Facts


def build_world(seed: int, customers: int) -> World:
    """Paths of 0 to 9 touches, some at the edges of buckets; refunds in part and whole, cancellations, restatements."""
    random_ = random.Random(seed)
    touches: list[tuple[str, Touch]] = []
    first: list[tuple[str, ConversionEvent]] = []
    corrections: list[tuple[str, ConversionEvent]] = []
    for n in range(customers):
        customer = f"c{n}"
        for order in range(random_.choice((1, 1, 2))):
            at_us = START_US + random_.randrange(DAYS * DAY_US)
            kind = random_.choice(("purchase", "purchase", "lead_created"))
            sold = ConversionEvent(
                at_us,
                f"{customer}-v{order}",
                kind,
                f"{customer}-{order}",
                random_.randrange(1, 10**9),
                random_.choice(CURRENCIES),
                "completed",
                "",
            )
            first.append((customer, sold))
            status, value = random_.choice([*_FIXES, ("refunded", sold.value_micros // 3)])
            if status is not None:
                later = sold._replace(
                    at_us=at_us + 5, event_id=f"{sold.event_id}-fix", status=status, adjusts=sold.event_id
                )
                corrections.append((customer, later._replace(value_micros=value)))
            for i in range(random_.choice((0, 1, 1, 2, 3, 5, 9))):
                back = random_.choice((0, _HOUR_US, DAY_US, 2 * DAY_US, 30 * DAY_US, random_.randrange(60 * DAY_US)))
                moved = at_us - max(0, back + random_.choice((-1, 0, 1)))
                # few channels and campaigns, so that paths come again
                channel = random_.choice(CHANNELS[:3] if n % 2 else CHANNELS)
                touch = (moved, f"{customer}-{order}-t{i}", channel, random_.choice(("", "spring")))
                touches.append((customer, touch))
    rates = [
        Rate(START + timedelta(days=day), currency, Decimal(random_.randrange(1, 10**9)).scaleb(-6))
        for day in range(-5, DAYS)
        for currency, chance in (("USD", 0.6), ("JPY", 0.1))
        if random_.random() < chance
    ]
    before, after = (
        Facts(credits=_credits(touches, events), rates=rates) for events in (first, [*first, *corrections])
    )
    return World(before, after)


def _credits(
    touches: Sequence[tuple[str, Touch]], events: Sequence[tuple[str, ConversionEvent]]
) -> list[tuple[str, ConversionCredits]]:
    owners = {event.order_id: customer for customer, event in events}
    found = attribute_all(touches, events, CONFIG).values()
    return [(owners[c.conversion.conversion_id.partition(":")[2]], c) for c in found]


class Sold(NamedTuple):
    """A live conversion in the reporting currency, before rounding."""

    conversion: Conversion
    touches: tuple[Touch, ...]
    factor: Fraction


class Truth:
    """Reports over the paths of some facts, of all days, in one currency."""

    def __init__(self, facts: Facts, currency: str, conversion_type: str = "", max_age_days: int = 7) -> None:
        self._rates = {(r.day, r.currency): Fraction(r.rate) for r in facts.rates}
        self._rates |= {(r.day, "EUR"): Fraction(1) for r in facts.rates}
        self.sold: list[Sold] = []
        self.other: set[str] = set()
        self.converted: set[str] = set()
        for _, found in facts.credits:
            conversion = found.conversion
            if not conversion.is_live or conversion_type not in {"", conversion.conversion_type}:
                continue
            day = at(conversion.at_us).date()
            own, target = (self._rate(day, name, max_age_days) for name in (conversion.currency, currency))
            factor = Fraction(1) if conversion.currency == currency else target and own and target / own
            if conversion.currency != currency:
                (self.converted if factor else self.other).add(conversion.currency)
            if factor:
                self.sold.append(Sold(conversion, tuple(t for t in found.touches if t[1]), factor))

    def _rate(self, day: date, currency: str, max_age_days: int) -> Fraction | None:
        known = (self._rates.get((day - timedelta(days=age), currency)) for age in range(max_age_days + 1))
        return next((rate for rate in known if rate), None)

    def sums(self, keys: Callable[[Sold], Sequence[Hashable]]) -> dict[Any, tuple[int, int]]:
        """Conversions and value by key: a conversion counts once for each; rounded by key, day and currency."""
        exact: dict[Any, dict[Any, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        counts: dict[Any, int] = defaultdict(int)
        for s in self.sold:
            for key in keys(s):
                counts[key] += 1
                group = (at(s.conversion.at_us).date(), s.conversion.currency)
                exact[key][group] += s.factor * s.conversion.value_micros
        return {key: (n, sum(round(x) for x in exact[key].values())) for key, n in counts.items()}

    def quantiles(self, end: int) -> list[float]:
        """25, 50, 75, 90 and 95 % of the whole seconds from the first (0) or last (-1) touch."""
        lags = [(s.conversion.at_us - s.touches[end][0]) // 1_000_000 for s in self.sold if s.touches]
        cuts = statistics.quantiles(lags, n=100, method="inclusive")
        return [cuts[n - 1] for n in (25, 50, 75, 90, 95)]


def steps_of(touches: Sequence[Touch], *, by_campaign: bool, collapse: bool) -> tuple[tuple[str, str], ...]:
    """A path as it is shown."""
    every = [(t[2], t[3] if by_campaign else "") for t in touches]
    return tuple(step for step, _ in groupby(every)) if collapse else tuple(every)


def bucket_of(conversion: Conversion, touch: Touch) -> str:
    """The name of the bucket of the time between the two."""
    lag = conversion.at_us - touch[0]
    if lag < _HOUR_US:
        return "<1 h"
    if lag < DAY_US:
        return "1-24 h"
    days = lag // DAY_US
    return f"{days} d" if days < 30 else "30+ d"
