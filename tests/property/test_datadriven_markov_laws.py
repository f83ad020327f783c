"""The chain against one dense solve for each removed channel, against do-attribution, and in its own laws."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from do_attribution.markov import MarkovAttribution
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from datadriven import markov
from datadriven.counts import TransitionCounts
from datadriven.paths import PathCount, PathCounts
from path_truth import absorption, populations

_orders = st.integers(1, 3)


def _fit(rows: list[PathCount], order: int) -> markov.MarkovFit:
    return markov.fit(TransitionCounts.from_paths(PathCounts.from_rows(rows), order))


def _effects(fit: markov.MarkovFit) -> dict[str, float]:
    return dict(zip(fit.channels, fit.removal_effects, strict=True))


@given(rows=populations(), order=_orders)
def test_removal_effects_are_those_of_one_dense_solve_each(rows: list[PathCount], order: int) -> None:
    found, whole = _fit(rows, order), absorption(rows, order)

    for channel, effect in _effects(found).items():
        assert effect == pytest.approx(1 - absorption(rows, order, channel) / whole, abs=1e-9)
    assert found.error_bound <= markov.TOLERANCE


@given(rows=populations(), order=_orders)
def test_the_conversion_probability_is_the_observed_rate(rows: list[PathCount], order: int) -> None:
    won, lost = sum(r.converted for r in rows), sum(r.nulls for r in rows)
    assert _fit(rows, order).conversion_probability == pytest.approx(won / (won + lost), abs=1e-12)


@given(rows=populations(min_length=1), order=_orders)
@settings(max_examples=30, deadline=None)
def test_do_attribution_agrees(rows: list[PathCount], order: int) -> None:
    """An independent exact solve (``redirect_to_null``), nulls included. It leaves out journeys without a touch."""
    paths = [" > ".join(r.path) for r in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = MarkovAttribution(order=order, removal_strategy="redirect_to_null").fit(
            paths * 2,
            [1] * len(rows) + [0] * len(rows),
            weights=[float(r.converted) for r in rows] + [float(r.nulls) for r in rows],
        )
    found = _fit(rows, order)

    assert found.conversion_probability == pytest.approx(other["total_conversion_probability"], abs=1e-9)
    for channel, effect in other["removal_effects"].items():
        assert _effects(found).get(channel, 0.0) == pytest.approx(effect, abs=1e-9)


@given(rows=populations())
def test_staying_in_a_channel_changes_no_removal_effect(rows: list[PathCount]) -> None:
    """Order 1: every run of a channel as one touch gives the same effects."""
    calm = [r._replace(path=r.path[:1] + tuple(b for a, b in pairwise(r.path) if a != b)) for r in rows]
    assert _effects(_fit(rows, 1)) == pytest.approx(_effects(_fit(calm, 1)), abs=1e-12)


@given(rows=populations(), order=_orders)
@settings(max_examples=40)
def test_all_three_solvers_agree(rows: list[PathCount], order: int) -> None:
    counts = TransitionCounts.from_paths(PathCounts.from_rows(rows), order)
    chain = markov._chain(counts)
    factorised, iterated = markov._factorised(chain, counts), markov._iterated(chain, counts)
    reduced = markov._reduced(chain, counts)
    assert factorised is not None
    assert iterated is not None

    np.testing.assert_allclose(iterated[0], factorised[0], atol=1e-10)
    np.testing.assert_allclose(1 - factorised[0][1:] / factorised[0][0], reduced.removal_effects, atol=1e-10)


@pytest.mark.parametrize("n", [10**9, 10**12, 10**17])
def test_a_chain_that_hardly_absorbs_is_solved_without_subtraction(n: int) -> None:
    """Two channels call each other n times before anything ends: a factorisation loses digits and is not believed.

    By hand: removing either ends every journey that would have to pass it. The first step goes to ``a``.
    """
    digits = np.array([[0], [1], [2], [1], [2]])
    counts = TransitionCounts.from_columns(1, ["a", "b"], digits, [1, 2, 1, 0, -1], [10, n, n - 7, 3, 7])
    found = markov.fit(counts)

    assert found.solver == "reduced"
    assert found.conversion_probability == pytest.approx(0.3, rel=1e-12)
    assert found.removal_effects[0] == 1.0
    assert found.removal_effects[1] == pytest.approx(1 - (3 / (n + 3)) / 0.3, rel=1e-14)


def test_many_states_are_solved_by_iteration_to_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(3)
    lengths = drawn.geometric(0.4, 4_000)
    steps = drawn.integers(0, 30, lengths.sum())
    paths = PathCounts.from_columns(
        [f"c{i:02}" for i in range(30)], np.concatenate(([0], lengths.cumsum())), steps, drawn.integers(0, 2, 4_000)
    )
    counts = TransitionCounts.from_paths(paths, 2)
    exact = markov.fit(counts)
    monkeypatch.setattr(markov, "MAX_FACTORISED", 100)
    found = markov.fit(counts)

    assert (exact.solver, found.solver) == ("factorised", "iterated")
    assert found.removal_effects == pytest.approx(exact.removal_effects, abs=1e-10)


def test_a_large_chain_that_cannot_be_proven_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markov, "MAX_FACTORISED", 2)
    monkeypatch.setattr(markov, "_MAX_ROUNDS", 3)
    with pytest.raises(InvalidParameterError, match="lower order"):
        _fit([PathCount(("a", "b") * 40, 1, 1)], 1)


def test_without_a_conversion_nothing_can_be_removed() -> None:
    with pytest.raises(InvalidParameterError, match="at least one converted"):
        _fit([PathCount(("mail",), 0, 5)], 1)


def test_a_worked_example() -> None:
    """A > b converts, b alone and a alone do not: without either channel nothing converts."""
    rows = [PathCount(("a", "b"), 1), PathCount(("b",), 0, 1), PathCount(("a",), 0, 1)]
    assert _effects(_fit(rows, 2)) == pytest.approx({"a": 1.0, "b": 1.0})
    # Order 1 knows one rate of b, 1/2, wherever b comes from: without a, one in three starts there.
    assert _effects(_fit(rows, 1)) == pytest.approx({"a": 1 - (1 / 6) / (1 / 3), "b": 1.0})
