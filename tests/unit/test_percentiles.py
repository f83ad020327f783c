"""Percentiles are values that were seen, and split them as their share says."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cli import percentiles


@given(values=st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=50), percent=st.integers(0, 100))
def test_as_many_values_as_the_share_says_are_not_above(values: list[int], percent: int) -> None:
    ordered, share = sorted(values), Fraction(percent, 100)
    found = percentiles.at(ordered, float(share))
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - Fraction(1, 10**9)
    assert sum(v < found for v in values) < max(share * len(values), Fraction(1, 10**9)) + Fraction(1, 10**9)


def test_known_ranks() -> None:
    ordered = [15, 20, 35, 40, 50]
    assert [percentiles.at(ordered, q) for q in (0, 0.05, 0.3, 0.4, 0.5, 1)] == [15, 15, 20, 20, 35, 50]
