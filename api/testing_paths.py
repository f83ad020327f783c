"""The double's answers to ``paths_store.Paths``, computed conversion by conversion."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby
from math import floor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from api.paths_store import (
    LAG_BOUNDS_S,
    QUANTILES,
    Assists,
    Part,
    PathLengths,
    PathsAsked,
    PathsShown,
    PathSum,
    Step,
    TimeLags,
    TopPaths,
)

if TYPE_CHECKING:
    from api.store import Meta, ResultRow, TouchCredit

K = TypeVar("K", bound=Hashable)
_NOTHING = Part(0, 0)
_SECOND = timedelta(seconds=1)


class _Sold(NamedTuple):
    """A conversion with a rate, and its touches."""

    row: ResultRow
    factor: Fraction
    touches: tuple[TouchCredit, ...]


class _Found(NamedTuple):
    sold: list[_Sold]
    other: tuple[str, ...]
    converted: tuple[str, ...]


class MemoryPaths:
    """Mixed into the double, whose facts these are. Every fact is of the run of ``facts``."""

    __slots__ = ()

    facts: Meta
    stored: dict[str, list[ResultRow]]
    ping: Callable[[], None]
    _factor: Callable[[date, str, str, int], Fraction | None]

    def top_paths(self, asked: PathsAsked, shown: PathsShown) -> TopPaths:
        """The paths behind a position, and the sum of all."""
        found = self._sold(asked, shown.channel)
        parts = _sums((_steps(s, shown), s) for s in found.sold)
        rows = sorted(
            (PathSum(hashlib.sha256(repr(steps).encode()).hexdigest(), steps, part) for steps, part in parts.items()),
            key=_place,
        )
        after = shown.after and (-shown.after.conversions, shown.after.path_id)
        page = [r for r in rows if after is None or _place(r) > after][: shown.limit]
        total = _sums(((), s) for s in found.sold).get((), _NOTHING)
        return TopPaths(found.other, found.converted, tuple(page), total)

    def path_lengths(self, asked: PathsAsked, longest: int) -> PathLengths:
        """Conversions by number of touches."""
        found = self._sold(asked)
        return PathLengths(found.other, found.converted, _sums((min(len(s.touches), longest), s) for s in found.sold))

    def time_lags(self, asked: PathsAsked) -> TimeLags:
        """Conversions by time from touches."""
        found = self._sold(asked)
        pairs = _sums(
            ((_bucket(s, 0), _bucket(s, -1)) if s.touches else (0, 0), s._replace(touches=())) for s in found.sold
        )
        first, last = (_quantiles([_lag(s, end) for s in found.sold if s.touches]) for end in (0, -1))
        return TimeLags(found.other, found.converted, pairs, first, last)

    def assists(self, asked: PathsAsked) -> Assists:
        """What part channels have in conversions."""
        found = self._sold(asked)
        plain = [(tuple(c.channel for c in s.touches), s._replace(touches=())) for s in found.sold]
        return Assists(
            found.other,
            found.converted,
            _sums((path[0], s) for path, s in plain if path),
            _sums((path[-1], s) for path, s in plain if path),
            _sums((channel, s) for path, s in plain for channel in set(path[:-1])),
            _sums(((), s) for path, s in plain if not path).get((), _NOTHING),
        )

    def _sold(self, asked: PathsAsked, channel: str = "") -> _Found:
        self.ping()
        left_out: set[str] = set()
        converted: set[str] = set()
        sold = []
        for row in self._conversions(asked, channel):
            factor = self._factor(row.converted_at.date(), row.currency, asked.currency, asked.fx_max_age_days)
            if row.currency != asked.currency:
                (left_out if factor is None else converted).add(row.currency)
            if factor is not None:
                sold.append(_Sold(row, factor, tuple(c for c in row.credits if c.touchpoint_id)))
        return _Found(sold, tuple(sorted(left_out)), tuple(sorted(converted)))

    def _conversions(self, asked: PathsAsked, channel: str) -> Iterator[ResultRow]:
        """One row of each, whatever its model: all have the same path."""
        mine = self.stored if asked.run_id == self.facts.run_id else {}
        for row in {r.conversion_id: r for rows in mine.values() for r in rows}.values():
            is_of_type = asked.conversion_type in {"", row.conversion_type}
            has_channel = not channel or any(c.channel == channel for c in row.credits)
            if asked.start <= row.converted_at.date() <= asked.end and is_of_type and has_channel:
                yield row


def _sums(grouped: Iterable[tuple[K, _Sold]]) -> dict[K, Part]:
    """Amounts are rounded once per key, day and currency."""
    groups: dict[tuple[K, date, str], list[_Sold]] = defaultdict(list)
    for key, sold in grouped:
        groups[key, sold.row.converted_at.date(), sold.row.currency].append(sold)
    parts: dict[K, Part] = {}
    for (key, _, _), some in groups.items():
        before = parts.get(key, _NOTHING)
        parts[key] = Part(
            before.conversions + len(some),
            before.value_micros + round(some[0].factor * sum(s.row.value_micros for s in some)),
            before.touches + sum(len(s.touches) for s in some),
        )
    return parts


def _steps(sold: _Sold, shown: PathsShown) -> tuple[Step, ...]:
    every = [Step(c.channel, c.campaign if shown.by_campaign else "") for c in sold.touches]
    return tuple(step for step, _ in groupby(every)) if shown.collapse else tuple(every)


def _place(row: PathSum) -> tuple[int, str]:
    return (-row.sum.conversions, row.path_id)


def _lag(sold: _Sold, end: int) -> int:
    return (sold.row.converted_at - sold.touches[end].touched_at) // _SECOND


def _bucket(sold: _Sold, end: int) -> int:
    return bisect_right(LAG_BOUNDS_S, _lag(sold, end))


def _quantiles(times: list[int]) -> tuple[float, ...] | None:
    if not times:
        return None
    ordered = sorted(times)
    found = []
    for quantile in QUANTILES:
        place = quantile * (len(ordered) - 1)
        low = floor(place)
        high = min(low + 1, len(ordered) - 1)
        found.append(ordered[low] + (place - low) * (ordered[high] - ordered[low]))
    return tuple(found)
