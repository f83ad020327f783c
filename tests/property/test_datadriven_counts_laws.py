"""Counts of paths are a group: whatever the order of additions and retractions, they are those of the batch."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from datadriven.coalitions import SetCounts, ordered_paths
from datadriven.counts import TransitionCounts
from datadriven.paths import PathCount, PathCounts, exact_sum
from path_truth import CHANNELS, path_counts, transitions

_orders = st.integers(1, 3)


def _counted(rows: list[PathCount], order: int) -> TransitionCounts:
    return TransitionCounts.from_paths(PathCounts.from_rows(rows), order)


def _named(counts: TransitionCounts) -> dict[tuple[tuple[str, ...], str], int]:
    """Back to names, digit by digit."""
    base, found = len(counts.channels) + 1, {}
    for state, following, n in zip(*(c.tolist() for c in counts.columns), strict=True):
        digits = [state // base**back % base for back in reversed(range(counts.order))]
        names = tuple(counts.channels[d - 1] for d in digits if d)
        found[names, {0: "CONV", -1: "NULL"}.get(following) or counts.channels[following - 1]] = n
    return found


@given(rows=path_counts(), order=_orders)
def test_columns_count_what_a_loop_over_touches_counts(rows: list[PathCount], order: int) -> None:
    counts = _counted(rows, order)

    assert _named(counts) == dict(transitions(rows, order))
    assert (counts.conversions, counts.nulls) == (sum(r.converted for r in rows), sum(r.nulls for r in rows))
    assert counts.value_micros == sum(r.value_micros for r in rows if r.path)
    assert counts.untouched_micros == sum(r.value_micros for r in rows if not r.path)
    counts.require_journeys()


@given(rows=path_counts(6), gone=path_counts(4), order=_orders, seed=st.integers(0, 99))
@settings(max_examples=60)
def test_any_order_of_additions_and_retractions_equals_the_batch(
    rows: list[PathCount], gone: list[PathCount], order: int, seed: int
) -> None:
    """Rows come, others come and go again, in any order: a retraction may even be first."""
    steps = [(1, row) for row in [*rows, *gone]] + [(-1, row) for row in gone]
    random.Random(seed).shuffle(steps)
    counts, sets = TransitionCounts.zero(order), SetCounts.from_paths(PathCounts.from_rows([]))
    for sign, row in steps:
        one, one_set = _counted([row], order), SetCounts.from_paths(PathCounts.from_rows([row]))
        counts = counts + one if sign > 0 else counts - one
        sets = sets + one_set if sign > 0 else sets - one_set

    assert counts == _counted(rows, order)
    assert sets == SetCounts.from_paths(PathCounts.from_rows(rows))


@given(rows=path_counts(min_length=1).filter(bool), order=_orders)
def test_late_conversion_and_refund_are_differences_of_the_same_path(rows: list[PathCount], order: int) -> None:
    path = rows[0].path
    before = _counted([*rows, PathCount(path, 0, 1)], order)

    late = before + _counted([PathCount(path, 1, -1, 700)], order)
    refunded = late + _counted([PathCount(path, -1, 0, -700)], order)

    assert late == _counted([*rows, PathCount(path, 1, 0, 700)], order)
    assert refunded == _counted(rows, order)


@given(rows=path_counts(), order=_orders)
def test_transitions_counted_elsewhere_are_the_same(rows: list[PathCount], order: int) -> None:
    """As SQL gives them: digits of the state, what follows, in two halves that repeat transitions."""
    names = sorted({c for r in rows for c in r.path})
    digit = {name: i + 1 for i, name in enumerate(names)} | {"CONV": 0, "NULL": -1}
    items = [(state, n, following) for (state, following), n in transitions(rows, order).items()]
    states = [[0] * (order - len(s)) + [digit[c] for c in s] for s, _, _ in items]
    nexts = [digit[f] for _, _, f in items]
    counts = [n for _, n, _ in items]
    total = sum(r.value_micros for r in rows if r.path)

    found = TransitionCounts.from_columns(
        order,
        names,
        np.array(states * 2, dtype=np.int64),
        nexts * 2,
        [n + 1 for n in counts] + [-1] * len(counts),
        value_micros=total,
        untouched_micros=sum(r.value_micros for r in rows if not r.path),
    )

    assert found == _counted(rows, order)


@given(rows=path_counts(), positions=st.integers(1, 3))
def test_sets_and_ordered_sets_are_those_of_a_loop(rows: list[PathCount], positions: int) -> None:
    paths = PathCounts.from_rows(rows)
    for counted, key in (
        (SetCounts.from_paths(paths), frozenset),
        (
            SetCounts.from_paths(ordered_paths(paths, positions=positions)),
            lambda path: frozenset(f"{min(i, positions)}:{c}" for i, c in enumerate(dict.fromkeys(path), start=1)),
        ),
    ):
        truth: dict[frozenset[str], list[int]] = {}
        for row in rows:
            numbers = truth.setdefault(key(row.path), [0, 0])
            numbers[0] += row.converted
            numbers[1] += row.nulls
        sets: list[set[str]] = [set() for _ in counted.nulls]
        for place, channel in zip(*counted.members(), strict=True):
            sets[place].add(counted.channels[channel])
        found = {
            frozenset(s): [int(c), int(n)] for s, c, n in zip(sets, counted.conversions, counted.nulls, strict=True)
        }

        assert found == {k: v for k, v in truth.items() if any(v)}


def test_sets_of_more_channels_than_a_word_has_bits_are_exact() -> None:
    names = [f"c{i:03}" for i in range(130)]
    rows = [PathCount((names[i], names[(i + 64) % 130], names[129]), i % 3, 1) for i in range(130)]
    sets = SetCounts.from_paths(PathCounts.from_rows(rows))
    part = SetCounts.from_paths(PathCounts.from_rows(rows[:70]))

    assert len(sets.nulls) == len({frozenset(r.path) for r in rows})
    assert all(sets.has(129))
    assert part + SetCounts.from_paths(PathCounts.from_rows(rows[70:])) == sets
    assert sets - part == SetCounts.from_paths(PathCounts.from_rows(rows[70:]))


@pytest.mark.parametrize("order", [1, 3])
def test_many_channels_are_counted_by_sorting_with_the_same_result(order: int) -> None:
    """Beyond what fits into one array; weights are sums of int64, not of doubles."""
    names = [f"c{i:05}" for i in range(3_000)]
    drawn = random.Random(5)
    rows = [PathCount(tuple(drawn.choices(names, k=3)), 2**55 + 1, 1) for _ in range(50)]

    assert _named(_counted(rows, order)) == dict(transitions(rows, order))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"offsets": [0, 2]}, "offsets"),
        ({"offsets": [1, 1]}, "offsets"),
        ({"steps": [2]}, "steps"),
        ({"steps": [0.5]}, "steps"),
        ({"converted": [1, 1]}, "converted"),
        ({"nulls": np.array([2**63], dtype=np.uint64)}, "nulls"),
        ({"channels": ["a", "a"]}, "channels"),
    ],
)
def test_columns_that_cannot_be_are_refused_by_name(change: dict[str, object], field: str) -> None:
    good = {"channels": ["a", "b"], "offsets": [0, 1], "steps": [1], "converted": [1], "nulls": [0]}
    with pytest.raises(InvalidParameterError) as refused:
        PathCounts.from_columns(**(good | change))  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channels": ["b", "a"]}, "channels"),
        ({"counts": [1, 2]}, "counts"),
        ({"states": [[3]]}, "states"),
        ({"nexts": [-2]}, "states"),
        ({"order": 4}, "order"),
    ],
)
def test_transitions_that_cannot_be_are_refused_by_name(change: dict[str, object], field: str) -> None:
    good = {"order": 1, "channels": ["a", "b"], "states": [[0]], "nexts": [1], "counts": [1]}
    with pytest.raises(InvalidParameterError) as refused:
        TransitionCounts.from_columns(**(good | change))  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field


def test_counts_equal_nothing_else() -> None:
    paths = PathCounts.from_rows([])
    assert TransitionCounts.zero(1) != 0
    assert SetCounts.from_paths(paths) != 0
    assert len(paths) == 0


def test_channels_in_any_order_are_the_same_paths() -> None:
    one = PathCounts.from_columns(["b", "a"], [0, 2], [0, 1], [1])
    two = PathCounts.from_rows([PathCount(("b", "a"), 1)])
    assert TransitionCounts.from_paths(one) == TransitionCounts.from_paths(two)


@pytest.mark.parametrize(
    "rows",
    [
        [PathCount(("mail",), -1)],
        [PathCount(("mail", "ads"), 1), PathCount(("ads",), -1)],
        [PathCount(("ads",), 3), PathCount(("mail", "mail"), 1), PathCount(("mail",), -1)],
    ],
)
def test_a_retraction_without_its_addition_is_refused_at_the_fit(rows: list[PathCount]) -> None:
    counts = _counted(rows, 1)
    with pytest.raises(InvalidParameterError, match="take off only journeys that were counted"):
        counts.require_journeys()


def test_counts_of_two_orders_do_not_add() -> None:
    with pytest.raises(InvalidParameterError, match="order"):
        _counted([PathCount(CHANNELS, 1)], 1) + _counted([PathCount(CHANNELS, 1)], 2)
    with pytest.raises(InvalidParameterError, match="from 1 to 3"):
        TransitionCounts.zero(4)


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_sums_of_micros_do_not_overflow(values: list[int]) -> None:
    assert exact_sum(np.array(values, dtype=np.int64)) == sum(values)
