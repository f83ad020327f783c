"""The roller's pace: at once when passes are cheap, a bounded share of the time when they are dear."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickhouse.rollup_pace import Pace

COSTS = st.lists(st.tuples(st.integers(0, 32), st.floats(0.001, 30.0)), max_size=40)
pace_of = partial(Pace, look_s=0.2, full_every_s=5.0, most_days=32, fewest_days=3)


@given(COSTS, st.floats(0.01, 1.0))
def test_quick_passes_take_their_share_or_half_of_the_time_at_most(
    costs: list[tuple[int, float]], share: float
) -> None:
    pace = pace_of(share)
    for built, cost in costs:
        pause = pace.after_quick(built, cost)
        most = max(share, 0.5)
        assert pause == 0.2 if built == 0 else cost <= most * (cost + pause) + 1e-9


@given(COSTS, st.floats(0.01, 1.0))
def test_full_passes_take_their_share_at_most_and_never_follow_each_other_sooner_than_told(
    costs: list[tuple[int, float]], share: float
) -> None:
    pace = pace_of(share)
    now = 0.0
    for built, cost in costs:
        assert pace.is_full_due(now)
        now += cost
        pace.after_full(now, max(built, 1), cost)
        wait = max(5.0, cost * (1 / share - 1))
        assert not pace.is_full_due(now + wait * 0.999)
        assert cost <= share * (cost + wait) + 1e-9
        now += wait * 1.001


def test_a_full_pass_does_not_hold_up_the_quick_ones() -> None:
    pace = pace_of(0.2)
    quick = pace.after_quick(1, 0.05)

    assert pace.after_full(10.0, 3, 8.0) == quick == pytest.approx(0.05)


def test_a_full_pass_that_found_nothing_is_asked_for_again_at_the_next_look() -> None:
    pace = pace_of(0.2)

    assert pace.after_full(10.0, 0, 0.01) == 0.2
    assert pace.is_full_due(10.2)


@given(COSTS)
def test_a_pass_may_always_build_the_hot_days_and_one_more(costs: list[tuple[int, float]]) -> None:
    pace = pace_of(0.2)
    for built, cost in costs:
        pace.after_full(0.0, min(built, pace.days), cost)
        assert 3 <= pace.days <= 32


def test_dear_passes_become_smaller_and_cheap_full_ones_larger() -> None:
    pace = pace_of(0.2)

    grown = [(pace.after_full(0.0, pace.days, 0.1), pace.days)[1] for _ in range(4)]
    shrunk = [(pace.after_full(0.0, pace.days, 0.6), pace.days)[1] for _ in range(5)]

    assert (grown, shrunk) == ([6, 12, 24, 32], [16, 8, 4, 3, 3])


def test_a_pass_that_was_not_full_does_not_grow() -> None:
    pace = pace_of(0.2)
    pace.after_full(0.0, 1, 0.1)

    assert pace.days == 3


def test_one_day_per_pass_stays_one() -> None:
    pace = Pace(0.2, 0.2, 5.0, most_days=1, fewest_days=3)
    pace.after_full(0.0, 1, 9.0)

    assert pace.days == 1


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_out_of_range_is_refused_with_its_value(share: float) -> None:
    with pytest.raises(ValueError, match=f"share: {share} is not above 0"):
        pace_of(share)


def test_a_negative_time_between_full_passes_is_refused_with_its_value() -> None:
    with pytest.raises(ValueError, match="full_every_s: -1 is below 0"):
        Pace(0.2, 0.2, -1, most_days=1, fewest_days=1)
