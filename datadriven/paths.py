"""Journeys as paths of channels, in columns: what every count of the data-driven models starts from.

A path is the sequence of channels of a journey's touches; it ended in a conversion or in nothing (a *null*, known once
the window has passed). A journey is one row, or equal paths are one row with their numbers: the counts are the same.
Numbers may be negative: a late conversion is ``(+1 converted, -1 null)``, a refund ``-1 converted``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from attribution.errors import InvalidParameterError

Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

#: States of three channels and what follows them stay below 2**63.
MAX_CHANNELS: Final = 32_000
_INT64: Final = 2**63


class PathCount(NamedTuple):
    """How often a path ended in a conversion and in nothing, and the value of its conversions in micros."""

    path: tuple[str, ...]
    converted: int = 0
    nulls: int = 0
    value_micros: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PathCounts:
    """Columns of n paths: path ``i`` is ``channels[steps[offsets[i]:offsets[i + 1]]]``.

    ``channels`` are sorted and distinct; ``offsets`` has n + 1 entries, the other columns n, all int64. Build it with
    ``from_columns`` or ``from_rows``, which check.
    """

    channels: tuple[str, ...]
    offsets: Integers
    steps: Integers
    converted: Integers
    nulls: Integers
    value_micros: Integers

    @classmethod
    def from_columns(
        cls,
        channels: Sequence[str],
        offsets: npt.ArrayLike,
        steps: npt.ArrayLike,
        converted: npt.ArrayLike,
        nulls: npt.ArrayLike | None = None,
        value_micros: npt.ArrayLike | None = None,
    ) -> PathCounts:
        """Columns as ClickHouse or Arrow give a list of dictionary-encoded names.

        Args:
            channels: names that ``steps`` points into, in any order, distinct.
            offsets: n + 1 positions in ``steps``, from 0 to its length, never falling.
            steps: for each touch the position of its channel in ``channels``.
            converted: conversions of each path.
            nulls: journeys of each path that ended in nothing; default ``1 - converted``: one row is one journey.
            value_micros: value of each path's conversions; default 0.

        Raises:
            InvalidParameterError: lengths that do not fit, a position out of range, a repeated name, no integers.
        """
        ranks, names = _vocabulary(channels)
        bounds, places, won = (
            _integers("offsets", offsets),
            _integers("steps", steps),
            _integers("converted", converted),
        )
        lost = 1 - won if nulls is None else _integers("nulls", nulls)
        values = np.zeros_like(won) if value_micros is None else _integers("value_micros", value_micros)
        _check_columns(len(names), bounds, places, {"converted": won, "nulls": lost, "value_micros": values})
        return cls(names, bounds, ranks[places] if places.size else places, won, lost, values)

    @classmethod
    def from_rows(cls, rows: Iterable[PathCount]) -> PathCounts:
        """Columns of single rows, for small inputs such as the change that one conversion makes.

        Raises:
            InvalidParameterError: a number beyond int64.
        """
        listed = list(rows)
        names = sorted({channel for row in listed for channel in row.path})
        place = {name: i for i, name in enumerate(names)}
        return cls.from_columns(
            names,
            np.cumsum([0, *(len(row.path) for row in listed)]),
            np.array([place[channel] for row in listed for channel in row.path], dtype=np.int64),
            [row.converted for row in listed],
            [row.nulls for row in listed],
            [row.value_micros for row in listed],
        )

    def __len__(self) -> int:
        return len(self.converted)

    @property
    def lengths(self) -> Integers:
        """Touches of each path."""
        return np.diff(self.offsets)

    def weighted(self, converted: Integers, nulls: Integers) -> PathCounts:
        """The same paths with other numbers, as of a bootstrap replicate; without value."""
        return PathCounts.from_columns(self.channels, self.offsets, self.steps, converted, nulls)


def exact_sum(values: Integers) -> int:
    """Sum of int64 without overflow (up to 2**31 of them)."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def _integers(field: str, values: npt.ArrayLike) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
        raise InvalidParameterError(field, _shown(array), "give a one-dimensional column of int64")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= _INT64:
        raise InvalidParameterError(field, int(array.max()), "give numbers below 2**63")
    return array.astype(np.int64)


def _shown(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _vocabulary(channels: Sequence[str]) -> tuple[Integers, tuple[str, ...]]:
    """New position of every given channel, and the sorted names."""
    if len(channels) > MAX_CHANNELS:
        raise InvalidParameterError("channels", len(channels), f"give at most {MAX_CHANNELS} distinct channels")
    order = sorted(range(len(channels)), key=channels.__getitem__)
    names = tuple([channels[i] for i in order])
    for first, second in pairwise(names):
        if first == second:
            raise InvalidParameterError("channels", first, "name every channel once")
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks, names


def _check_columns(known: int, offsets: Integers, steps: Integers, columns: dict[str, Integers]) -> None:
    n = len(offsets) - 1
    if n < 0 or offsets[0] != 0 or offsets[-1] != len(steps) or bool((np.diff(offsets) < 0).any()):
        raise InvalidParameterError("offsets", len(offsets), f"give positions from 0 to {len(steps)} that never fall")
    if steps.size and not 0 <= int(steps.min()) <= int(steps.max()) < known:
        wrong = int(steps.max() if int(steps.min()) >= 0 else steps.min())
        raise InvalidParameterError("steps", wrong, f"give positions of channels, from 0 to {known - 1}")
    for field, column in columns.items():
        if len(column) != n:
            raise InvalidParameterError(field, len(column), f"give one number for each of the {n} paths")
