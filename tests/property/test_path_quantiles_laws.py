"""Quantiles from counts by bucket are those of the sorted numbers."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.path_quantiles import between, places

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(1, 40))
def test_single_numbers_of_some_buckets_give_the_quantiles_of_all(numbers: list[int], width: int) -> None:
    buckets = [[n for n in sorted(numbers) if n // width == b] for b in range(100 // width + 1)]
    needed = places({b: len(held) for b, held in enumerate(buckets) if held}, QUANTILES)
    assert len(needed) <= 2 * len(QUANTILES)
    found = between(len(numbers), {rank: buckets[b][i] for rank, (b, i) in needed.items()}, QUANTILES)
    if len(numbers) == 1:
        assert found == (numbers[0],) * len(QUANTILES)
        return
    cuts = statistics.quantiles(numbers, n=100, method="inclusive")
    wanted = [min(numbers), *(cuts[int(100 * q) - 1] for q in QUANTILES[1:-1]), max(numbers)]
    assert found == pytest.approx(wanted)


def test_without_a_number_no_rank_is_needed() -> None:
    assert places(Counter(), QUANTILES) == {}
