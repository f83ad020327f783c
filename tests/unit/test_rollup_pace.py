"""The roller's pace: at once when passes are cheap, a bounded share of the time when they are dear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickhouse.rollup_pace import Pace

COSTS = st.lists(st.tuples(st.integers(0, 32), st.floats(0.001, 30.0)), max_size=40)


@given(COSTS, st.floats(0.01, 1.0))
def test_passes_that_build_never_take_more_than_their_share(costs: list[tuple[int, float]], share: float) -> None:
    pace = Pace(share, 0.2, most_days=32, fewest_days=3)
    for built, cost in costs:
        pause = pace.after(built, cost)
        assert pause == 0.2 if built == 0 else cost <= share * (cost + pause) + 1e-9


@given(COSTS)
def test_a_pass_may_always_build_the_hot_days_and_one_more(costs: list[tuple[int, float]]) -> None:
    pace = Pace(0.2, 0.2, most_days=32, fewest_days=3)
    for built, cost in costs:
        pace.after(min(built, pace.days), cost)
        assert 3 <= pace.days <= 32


def test_dear_passes_become_smaller_and_cheap_full_ones_larger() -> None:
    pace = Pace(0.2, 0.2, most_days=32, fewest_days=3)

    grown = [(pace.after(pace.days, 0.1), pace.days)[1] for _ in range(4)]
    shrunk = [(pace.after(pace.days, 0.6), pace.days)[1] for _ in range(5)]

    assert (grown, shrunk) == ([6, 12, 24, 32], [16, 8, 4, 3, 3])


def test_a_pass_that_was_not_full_does_not_grow() -> None:
    pace = Pace(0.2, 0.2, most_days=32, fewest_days=3)
    pace.after(1, 0.1)

    assert pace.days == 3


def test_one_day_per_pass_stays_one() -> None:
    pace = Pace(0.2, 0.2, most_days=1, fewest_days=3)
    pace.after(1, 9.0)

    assert pace.days == 1


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_out_of_range_is_refused_with_its_value(share: float) -> None:
    with pytest.raises(ValueError, match=f"share: {share} is not above 0"):
        Pace(share, 0.2, most_days=1, fewest_days=1)
