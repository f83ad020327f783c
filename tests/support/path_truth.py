"""Plain Python for the data-driven models: paths for Hypothesis, and the slow, obvious way to every number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations
from math import factorial

import numpy as np
from hypothesis import strategies as st

from datadriven.paths import PathCount

CHANNELS = ("ads", "blog", "call", "dm", "mail")


def path_counts(max_size: int = 12, *, min_length: int = 0) -> st.SearchStrategy[list[PathCount]]:
    """Paths over few channels, so that loops, repetitions and equal paths are common."""
    path = st.lists(st.sampled_from(CHANNELS), min_size=min_length, max_size=6).map(tuple)
    row = st.builds(PathCount, path, st.integers(0, 5), st.integers(0, 9), st.integers(0, 2**62))
    return st.lists(row, max_size=max_size)


def populations(*, min_length: int = 0) -> st.SearchStrategy[list[PathCount]]:
    """Paths of which at least one converted."""
    return path_counts(min_length=min_length).filter(lambda rows: any(r.converted for r in rows))


def transitions(rows: Sequence[PathCount], order: int) -> Counter[tuple[tuple[str, ...], str]]:
    """(last channels, what follows): how often, counted touch by touch. ``CONV`` and ``NULL`` end a path."""
    found: Counter[tuple[tuple[str, ...], str]] = Counter()
    for row in rows:
        for i, channel in enumerate(row.path):
            found[row.path[max(0, i - order) : i], channel] += row.converted + row.nulls
        last = row.path[max(0, len(row.path) - order) :]
        found[last, "CONV"] += row.converted
        found[last, "NULL"] += row.nulls
    return Counter({key: n for key, n in found.items() if n})


def absorption(rows: Sequence[PathCount], order: int, removed: str = "") -> float:
    """P(conversion) of the chain by one dense solve, edges into states that end with ``removed`` sent to null."""
    counts = transitions(rows, order)
    states = sorted({state for state, _ in counts} | {()})
    place = {state: i for i, state in enumerate(states)}
    matrix, convert = np.eye(len(states)), np.zeros(len(states))
    totals: Counter[tuple[str, ...]] = Counter()
    for (state, _), n in counts.items():
        totals[state] += n
    for (state, following), n in counts.items():
        if following == "CONV":
            convert[place[state]] += n / totals[state]
        elif following not in {"NULL", removed}:
            target = (*state, following)[-order:]
            matrix[place[state], place[target]] -= n / totals[state]
    return float(np.linalg.solve(matrix, convert)[place[()]])


def shapley_by_permutations(players: int, value: Callable[[frozenset[int]], Fraction]) -> list[Fraction]:
    """Mean marginal contribution over all orders, in exact fractions."""
    sums = [Fraction(0)] * players
    for order in permutations(range(players)):
        for i, player in enumerate(order):
            sums[player] += value(frozenset(order[: i + 1])) - value(frozenset(order[:i]))
    return [total / factorial(players) for total in sums]
