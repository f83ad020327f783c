"""What dashboards must show of a world, computed from its events by the batch reference and exact fractions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from attribution.batch import attribute_all
from attribution.config import DAY_US
from attribution.types import ConversionCredits
from cli import preview_world
from cli.preview_world import World

_EPOCH = date(1970, 1, 1)
_MAX_AGE_DAYS = 7


class Asked(NamedTuple):
    """What is chosen; empty ``types`` and ``channels`` are all."""

    first: date
    last: date
    model: str
    currency: str
    types: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()


class Truth:
    """Credits of some models by the batch reference, and the sums that follow."""

    def __init__(self, world: World, models: tuple[str, ...]) -> None:
        config = replace(world.config, models=models)
        self.credits: list[ConversionCredits] = [
            c
            for c in attribute_all(world.core_touches(), world.core_conversions(), config).values()
            if c.conversion.is_live
        ]
        self._spend = {
            (_EPOCH + timedelta(days=e.spend_day), e.channel, e.campaign or "", e.currency): e.cost_micros
            for e in world.spend
        }
        self._rates = {(r.day, r.currency): Fraction(r.rate) for r in preview_world._rates(world)}
        self._rates |= {(day, "EUR"): Fraction(1) for day, _ in list(self._rates)}

    def revenue(self, asked: Asked) -> dict[str, int]:
        """Micros by channel: an amount is converted once per day, channel, campaign and currency."""
        groups: dict[tuple[date, str, str, str], int] = defaultdict(int)
        for found in self.credits:
            conversion = found.conversion
            day = _EPOCH + timedelta(days=conversion.at_us // DAY_US)
            if not asked.first <= day <= asked.last or (asked.types and conversion.conversion_type not in asked.types):
                continue
            micros = found.micros[found.models.index(asked.model)]
            for touch, amount in zip(found.touches, micros, strict=True):
                groups[day, touch[2], touch[3], conversion.currency] += amount
        return self._by_channel(groups, asked)

    def spend(self, asked: Asked) -> dict[str, int]:
        """Micros by channel."""
        found = {key: cost for key, cost in self._spend.items() if asked.first <= key[0] <= asked.last}
        return self._by_channel(found, asked)

    def conversions(self, asked: Asked) -> int:
        """How many there are, whatever their channels."""
        return sum(
            asked.first <= _EPOCH + timedelta(days=c.conversion.at_us // DAY_US) <= asked.last
            and (not asked.types or c.conversion.conversion_type in asked.types)
            for c in self.credits
        )

    def _by_channel(self, groups: dict[tuple[date, str, str, str], int], asked: Asked) -> dict[str, int]:
        sums: dict[str, int] = defaultdict(int)
        for (day, channel, _, currency), amount in groups.items():
            if not asked.channels or channel in asked.channels:
                sums[channel] += self._converted(amount, day, currency, asked.currency)
        return dict(sums)

    def _converted(self, amount: int, day: date, own: str, target: str) -> int:
        # round() of a fraction rounds half to even, as the views do
        return amount if own == target else round(amount * self._rate(day, target) / self._rate(day, own))

    def _rate(self, day: date, currency: str) -> Fraction:
        ages = (day - timedelta(days=age) for age in range(_MAX_AGE_DAYS + 1))
        return next(self._rates[at, currency] for at in ages if (at, currency) in self._rates)


def micros(shown: float | None) -> int:
    """An amount of a panel in micros: exact, since amounts of the tests have fewer than 53 bits."""
    return round(Decimal(shown or 0) * 1_000_000)
