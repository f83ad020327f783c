"""Transition counts of order 1 to 3: integers that add, subtract and end up the same in any order.

A state is the channels of the last ``order`` touches (fewer at the beginning of a path; none: the start). A transition
goes from a state to the channel of the next touch, to a conversion or to null. Counts form a group under ``+``: days,
partitions, late conversions, refunds and erased journeys are added and taken off, and equal sets give equal counts. The
vocabulary holds exactly the channels that are left in some transition, sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from attribution.errors import InvalidParameterError
from datadriven.paths import Integers, PathCounts, exact_sum

MAX_ORDER: Final = 3
#: What follows a state when it is no channel; channel ``i`` of the vocabulary is the digit ``i + 1``.
CONVERSION: Final = 0
NULL: Final = -1
#: Up to so many different transitions are counted in one array; beyond, by sorting.
_DENSE: Final = 1 << 22
_FLOAT_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class TransitionCounts:
    """Sparse counts, sorted by (state, next), none 0.

    A state is an integer in base ``len(channels) + 1`` whose digits are the last ``order`` channels, the newest last
    (digit 0: before the first touch; state 0: the start). ``nexts`` holds a digit, ``CONVERSION`` or ``NULL``.
    ``value_micros`` is the value of conversions with a touch, ``untouched_micros`` of those without.
    """

    order: int
    channels: tuple[str, ...]
    states: Integers
    nexts: Integers
    counts: Integers
    value_micros: int
    untouched_micros: int

    @classmethod
    def zero(cls, order: int) -> TransitionCounts:
        """No journey at all."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(_checked(order), (), nothing, nothing, nothing, 0, 0)

    @classmethod
    def from_paths(cls, paths: PathCounts, order: int = 1) -> TransitionCounts:
        """Count paths, a million in a fraction of a second.

        Raises:
            InvalidParameterError: an order outside 1 to 3.
        """
        states, nexts, row = transitions_of(paths, _checked(order))
        totals = paths.converted + paths.nulls
        weights = totals[row]
        weights[-2 * len(paths) :] = np.concatenate((paths.converted, paths.nulls))
        untouched = paths.lengths == 0
        return _canonical(
            order,
            paths.channels,
            (states, nexts, weights),
            exact_sum(paths.value_micros[~untouched]),
            exact_sum(paths.value_micros[untouched]),
        )

    @classmethod
    def from_columns(
        cls,
        order: int,
        channels: Sequence[str],
        states: npt.ArrayLike,
        nexts: npt.ArrayLike,
        counts: npt.ArrayLike,
        *,
        value_micros: int = 0,
        untouched_micros: int = 0,
    ) -> TransitionCounts:
        """Transitions that were counted elsewhere, as by SQL; repeated ones are added.

        Args:
            order: 1 to 3.
            channels: sorted, distinct names.
            states: (m, order) digits, oldest first: 0 before the first touch, ``i + 1`` for ``channels[i]``.
            nexts: m digits, ``CONVERSION`` (0) or ``NULL`` (-1).
            counts: m integers.
            value_micros: value of the conversions with a touch.
            untouched_micros: value of the conversions without one.

        Raises:
            InvalidParameterError: an order, a name, a shape or a digit that cannot be.
        """
        digits = np.asarray(states, dtype=np.int64).reshape(-1, _checked(order))
        targets, numbers = np.asarray(nexts, dtype=np.int64), np.asarray(counts, dtype=np.int64)
        names, n = tuple(channels), len(channels)
        if list(names) != sorted(set(names)):
            raise InvalidParameterError("channels", names[:3], "give sorted, distinct names")
        if not len(digits) == len(targets) == len(numbers):
            raise InvalidParameterError("counts", len(numbers), "give as many states, nexts and counts")
        if digits.size and (digits.min() < 0 or digits.max() > n or targets.min() < NULL or targets.max() > n):
            raise InvalidParameterError("states", int(digits.max()), f"give digits from 0 to {n}; nexts from -1")
        code = np.zeros(len(digits), dtype=np.int64)
        for column in digits.T:
            code = code * (n + 1) + column
        return _canonical(order, names, (code, targets, numbers), value_micros, untouched_micros)

    def __add__(self, other: TransitionCounts) -> TransitionCounts:
        if self.order != other.order:
            raise InvalidParameterError("order", other.order, f"add counts of one order; these are of {self.order}")
        names = tuple(sorted({*self.channels, *other.channels}))
        both = [_recoded(part, names) for part in (self, other)]
        columns = tuple(np.concatenate(parts) for parts in zip(*both, strict=True))
        return _canonical(
            self.order,
            names,
            (columns[0], columns[1], columns[2]),
            self.value_micros + other.value_micros,
            self.untouched_micros + other.untouched_micros,
        )

    def __neg__(self) -> TransitionCounts:
        return TransitionCounts(
            self.order,
            self.channels,
            self.states,
            self.nexts,
            -self.counts,
            -self.value_micros,
            -self.untouched_micros,
        )

    def __sub__(self, other: TransitionCounts) -> TransitionCounts:
        return self + -other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TransitionCounts):
            return NotImplemented
        mine, theirs = (
            (c.order, c.channels, c.value_micros, c.untouched_micros, *(a.tobytes() for a in c.columns))
            for c in (self, other)
        )
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def columns(self) -> tuple[Integers, Integers, Integers]:
        """States, what follows, counts."""
        return self.states, self.nexts, self.counts

    @property
    def conversions(self) -> int:
        """Journeys that ended in a conversion."""
        return exact_sum(self.counts[self.nexts == CONVERSION])

    @property
    def nulls(self) -> int:
        """Journeys that ended in nothing."""
        return exact_sum(self.counts[self.nexts == NULL])

    @property
    def untouched_conversions(self) -> int:
        """Conversions without a touch: no channel can earn them."""
        return exact_sum(self.counts[(self.states == 0) & (self.nexts == CONVERSION)])

    def next_states(self) -> Integers:
        """State after each transition to a channel; -1 for conversions and nulls."""
        base = len(self.channels) + 1
        return np.where(self.nexts > 0, (self.states * base + self.nexts) % base**self.order, -1)

    def require_journeys(self) -> None:
        """Refuse what no set of journeys can give.

        That is a negative count, a state that is left more often than entered, or one out of reach of the start. (A
        balanced flow of which every state can be reached is a sum of journeys.)

        Raises:
            InvalidParameterError: so; some retraction came without its addition.
        """
        way_out = "take off only journeys that were counted, with the same path; or count again from the paths"
        if self.counts.size and int(self.counts.min()) < 0:
            raise InvalidParameterError("counts", int(self.counts.min()), way_out)
        inner = self.nexts > 0
        known = np.unique(np.concatenate((self.states, self.next_states()[inner], [0])))
        source = np.searchsorted(known, self.states)
        target = np.searchsorted(known, self.next_states()[inner])
        flow = np.zeros(len(known), dtype=np.int64)
        np.subtract.at(flow, source, self.counts)
        np.add.at(flow, target, self.counts[inner])
        wrong = np.flatnonzero(flow[1:]) + 1
        if not len(wrong):
            wrong = np.flatnonzero(~_reached(source[inner], target, len(known)))
        if len(wrong):
            raise InvalidParameterError("counts", f"those of state {int(known[wrong[0]])}", way_out)


def transitions_of(paths: PathCounts, order: int) -> tuple[Integers, Integers, Integers]:
    """State, next and row of every transition: one per touch, then all conversions, then all nulls.

    Every row has a conversion and a null here, whatever its numbers: those decide the weights.
    """
    n, base, lengths = len(paths), len(paths.channels) + 1, paths.lengths
    row = np.repeat(np.arange(n), lengths)
    place = np.arange(len(paths.steps)) - np.repeat(paths.offsets[:-1], lengths)
    digits = paths.steps + 1
    after = digits.copy()
    for back in range(1, order):
        after[back:] += np.where(place[back:] >= back, digits[:-back] * base**back, 0)
    before = np.zeros_like(after)
    before[1:] = np.where(place[1:] > 0, after[:-1], 0)
    last = np.zeros(n, dtype=np.int64)
    touched = lengths > 0
    last[touched] = after[paths.offsets[1:][touched] - 1]
    ends = np.full(n, CONVERSION), np.full(n, NULL)
    rows = np.arange(n)
    return np.concatenate((before, last, last)), np.concatenate((digits, *ends)), np.concatenate((row, rows, rows))


def _reached(source: Integers, target: Integers, states: int) -> npt.NDArray[np.bool_]:
    """Which states can be reached from the first."""
    reached = np.zeros(states, dtype=bool)
    reached[0], before = True, 0
    while (found := int(reached.sum())) > before:
        before = found
        reached[target[reached[source]]] = True
    return reached


def _checked(order: int) -> int:
    if order not in range(1, MAX_ORDER + 1):
        raise InvalidParameterError("order", order, f"give an order from 1 to {MAX_ORDER}")
    return order


def _recoded(part: TransitionCounts, names: tuple[str, ...]) -> tuple[Integers, Integers, Integers]:
    """The same transitions over a larger vocabulary."""
    if part.channels == names:
        return part.columns
    digit = {name: i + 1 for i, name in enumerate(names)}
    new = np.array([0, *(digit[name] for name in part.channels)], dtype=np.int64)
    return _renamed(part.order, part.states, new, len(names) + 1), _new_nexts(part.nexts, new), part.counts


def _renamed(order: int, states: Integers, new: Integers, base: int) -> Integers:
    """States with the digit ``d`` replaced by ``new[d]``, in another base."""
    found, rest, power = np.zeros_like(states), states, 1
    for _ in range(order):
        rest, digit = np.divmod(rest, len(new))
        found += new[digit] * power
        power *= base
    return found


def _new_nexts(nexts: Integers, new: Integers) -> Integers:
    return np.where(nexts > 0, new[np.maximum(nexts, 0)], nexts)


def _canonical(
    order: int,
    channels: tuple[str, ...],
    columns: tuple[Integers, Integers, Integers],
    value_micros: int,
    untouched_micros: int,
) -> TransitionCounts:
    """Equal transitions added, zeros and unused channels dropped, sorted."""
    base = len(channels) + 1
    keys, counts = _summed(columns[0] * (base + 1) + columns[1] + 1, columns[2], base**order * (base + 1))
    states, nexts = np.divmod(keys, base + 1)
    nexts -= 1
    used = _digits_in(order, states, nexts, base)
    if len(used) < len(channels):
        new = np.zeros(base, dtype=np.int64)
        new[used] = np.arange(1, len(used) + 1)
        channels = tuple([channels[i - 1] for i in used])
        # Codes keep their order when unused digits go.
        states, nexts = _renamed(order, states, new, len(used) + 1), _new_nexts(nexts, new)
    return TransitionCounts(order, channels, states, nexts, counts, value_micros, untouched_micros)


def _digits_in(order: int, states: Integers, nexts: Integers, base: int) -> Integers:
    """Channels that occur anywhere, as digits."""
    present = np.zeros(base, dtype=bool)
    present[nexts[nexts > 0]] = True
    distinct = np.unique(states)
    for _ in range(order):
        distinct, digit = np.divmod(distinct, base)
        present[digit] = True
    return np.flatnonzero(present[1:]) + 1


def _summed(keys: Integers, weights: Integers, space: int) -> tuple[Integers, Integers]:
    """Distinct keys, sorted, with the sums of their weights, those of sum 0 left out."""
    exact_in_doubles = not weights.size or len(weights) * float(np.abs(weights.astype(np.float64)).max()) < _FLOAT_EXACT
    if space <= _DENSE and exact_in_doubles:
        sums = np.bincount(keys, weights, minlength=1).astype(np.int64)
        found = np.flatnonzero(sums)
        return found, sums[found]
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate((np.ones(min(len(keys), 1), dtype=bool), ordered[1:] != ordered[:-1])))
    sums = np.add.reduceat(weights[order], starts) if len(starts) else weights
    kept = sums != 0
    return ordered[starts][kept], sums[kept]
