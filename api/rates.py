"""Amounts in another currency by the rates of a day: the last rate that is not too old, half to even, exact."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from functools import cache


class Rates:
    """Published rates.

    Args:
        published: (currency, day, units of it for one of the base, times any constant), by currency and day.
        max_age_days: a day takes the last rate at most so old.
    """

    def __init__(self, published: Iterable[tuple[str, date, int]], max_age_days: int) -> None:
        self._days: dict[str, list[date]] = {}
        self._units: dict[str, list[int]] = {}
        self._max_age_days = max_age_days
        for currency, day, units in published:
            self._days.setdefault(currency, []).append(day)
            self._units.setdefault(currency, []).append(units)
        self.of = cache(self._of)

    def convert(self, micros: int, own: str, target: str, day: date) -> int | None:
        """The amount in ``target``; None without both rates."""
        if own == target:
            return micros
        own_rate, target_rate = self.of(own, day), self.of(target, day)
        if not own_rate or not target_rate:
            return None
        whole, rest = divmod(micros * target_rate, own_rate)
        return whole + (2 * rest > own_rate or (2 * rest == own_rate and whole % 2 == 1))

    def _of(self, currency: str, day: date) -> int | None:
        days = self._days.get(currency, [])
        position = bisect_right(days, day) - 1
        is_young = position >= 0 and (day - days[position]).days <= self._max_age_days
        return self._units[currency][position] if is_young else None
