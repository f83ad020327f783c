"""Figures of a model against a known truth, by hand; and a simulated world."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from cli.scoring import world
from datadriven.score import interval, score

NAMES = ("a", "b", "c", "d")
amounts = st.dictionaries(st.sampled_from(NAMES), st.floats(0.001, 1e6), min_size=1)


@given(amounts, st.floats(0.01, 100))
def test_the_truth_itself_scores_zero_on_any_scale(truth: dict[str, float], scale: float) -> None:
    found = score({name: value * scale for name, value in truth.items()}, truth, NAMES)

    assert max(found.share_error, found.budget_regret) == pytest.approx(0, abs=1e-9)
    assert found.rank_error == pytest.approx(0 if len(set(truth.values())) > 1 else 0.5, abs=1e-9) or len(truth) < 4


@given(amounts, amounts)
def test_figures_stay_between_zero_and_one(shares: dict[str, float], truth: dict[str, float]) -> None:
    assert all(-1e-9 <= figure <= 1 + 1e-9 for figure in score(shares, truth, NAMES))


def test_by_hand() -> None:
    truth = {"a": 3.0, "b": 1.0, "c": 0.0}

    assert score({"a": 1, "b": 3}, truth, {"a", "b"}).share_error == pytest.approx(0.5)
    assert score({"c": 1}, truth, {"a", "b"}).share_error == 1
    assert score({"c": 3, "b": 2, "a": 1}, truth, {"a", "b"}).rank_error == pytest.approx(1)
    # best: sqrt(10) / 4; the model gives b nine tenths of what it spends: (3 * 1 + 1 * 3) / sqrt(10) / 4
    assert score({"a": 1, "b": 3}, truth, {"a", "b"}).budget_regret == pytest.approx(1 - 6 / 10)
    assert score({"c": 1}, truth, {"a", "b"}).budget_regret == 1
    assert score({"a": 1}, truth, {"c"}).budget_regret == 0


def test_an_interval_is_students() -> None:
    found = interval([1.0, 2.0, 3.0])

    assert found.mean == 2
    assert found.high - found.mean == pytest.approx(4.302653 / 3**0.5, rel=1e-5)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


@pytest.mark.parametrize(("shares", "truth"), [({}, {"a": 1.0}), ({"a": 1.0}, {"a": 0.0})])
def test_nothing_to_compare_is_refused(shares: dict[str, float], truth: dict[str, float]) -> None:
    with pytest.raises(InvalidParameterError):
        score(shares, truth, NAMES)
    with pytest.raises(InvalidParameterError):
        interval([1.0])


def test_a_world_conserves_its_sales_in_every_model_and_is_the_same_again() -> None:
    one = world(3, records=8_000, lookback_days=5, per_day=400)

    assert one == world(3, records=8_000, lookback_days=5, per_day=400)
    assert {"linear", "markov", "markov_2", "shapley"} <= one.credits.keys()
    assert one.nulls > one.conversions > 300
    for credits_ in one.credits.values():
        assert sum(credits_.values()) == pytest.approx(one.conversions)
    assert {"Paid Search", "Display"} <= one.bought <= one.caused.keys()
