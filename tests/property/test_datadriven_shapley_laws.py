"""Shapley values against all permutations in exact fractions, and the laws that define them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from datadriven import shapley
from datadriven.coalitions import SetCounts, channel_of, ordered_paths
from datadriven.paths import PathCount, PathCounts
from datadriven.shapley import Smoothing
from path_truth import populations, shapley_by_permutations

if TYPE_CHECKING:
    from collections.abc import Callable

_games = st.integers(1, 5).flatmap(lambda n: st.lists(st.integers(-50, 50), min_size=1 << n, max_size=1 << n))


def _rate(rows: list[PathCount], channels: tuple[str, ...], a: int, b: int) -> Callable[[frozenset[int]], Fraction]:
    def value(members: frozenset[int]) -> Fraction:
        names = {channels[i] for i in members}
        inside = [r for r in rows if set(r.path) <= names]
        won, lost = sum(r.converted for r in inside), sum(r.nulls for r in inside)
        return Fraction(won + a, won + lost + a + b)

    return value


@given(rows=populations(), a=st.integers(0, 3), b=st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_values_are_the_mean_marginal_rates_of_all_permutations(rows: list[PathCount], a: int, b: int) -> None:
    sets = SetCounts.from_paths(PathCounts.from_rows(rows))
    found = shapley.fit(sets, Smoothing(a, b))
    truth = shapley_by_permutations(len(found.channels), _rate(rows, found.channels, a, b))

    assert found.values == pytest.approx([float(v) for v in truth], abs=1e-12)
    assert sum(found.values) == pytest.approx(found.value_of_all - found.value_of_none, abs=1e-12)


@given(game=_games)
def test_any_game_is_divided_efficiently(game: list[int]) -> None:
    values = shapley.shapley_values(np.array(game, dtype=np.float64))
    assert values.sum() == pytest.approx(game[-1] - game[0], abs=1e-9)


@given(game=_games, data=st.data())
def test_a_player_that_changes_nothing_gets_nothing_and_changes_no_other(game: list[int], data: st.DataObject) -> None:
    values = np.array(game, dtype=np.float64)
    place = data.draw(st.integers(0, len(game).bit_length() - 1))
    wider = np.repeat(values.reshape(-1, 1, 1 << place), 2, axis=1).ravel()
    found = shapley.shapley_values(wider)

    assert found[place] == 0
    np.testing.assert_allclose(np.delete(found, place), shapley.shapley_values(values), atol=1e-9)


@given(game=_games.filter(lambda g: len(g) > 2), data=st.data())
def test_players_that_change_places_change_values(game: list[int], data: st.DataObject) -> None:
    """Symmetry, as anonymity: renamed players keep what they get; so interchangeable ones get the same."""
    n = len(game).bit_length() - 1
    order = data.draw(st.permutations(range(n)))
    index = np.arange(len(game))
    moved = sum(((index >> old) & 1) << new for old, new in enumerate(order))
    values = np.array(game, dtype=np.float64)
    renamed = np.empty_like(values)
    renamed[moved] = values

    found = shapley.shapley_values(renamed)
    np.testing.assert_allclose([found[new] for new in order], shapley.shapley_values(values), atol=1e-9)


@given(rows=populations(), a=st.integers(0, 3), b=st.integers(1, 200), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_sampling_adds_up_exactly_and_comes_near_within_its_errors(
    rows: list[PathCount], a: int, b: int, seed: int
) -> None:
    sets, rule = SetCounts.from_paths(PathCounts.from_rows(rows)), Smoothing(a, b)
    exact, drawn = shapley.fit(sets, rule), shapley._sampled(sets, rule, 200, seed)

    assert sum(drawn.values) == pytest.approx(drawn.value_of_all - drawn.value_of_none, abs=1e-12)
    assert (drawn.value_of_all, drawn.value_of_none) == pytest.approx((exact.value_of_all, exact.value_of_none))
    for value, error, truth in zip(drawn.values, drawn.standard_errors, exact.values, strict=True):
        assert abs(value - truth) <= 6 * error + 1e-9


def test_sixteen_channels_are_sampled_by_seed() -> None:
    names = [f"c{i:02}" for i in range(16)]
    drawn = np.random.default_rng(1)
    rows = [PathCount(tuple(drawn.choice(names, 3)), int(drawn.integers(3)), 5) for _ in range(300)]
    sets = SetCounts.from_paths(PathCounts.from_rows(rows))
    one, same, other = (shapley.fit(sets, permutations=50, seed=s) for s in (1, 1, 2))

    assert one == same
    assert one.values != other.values
    assert one.permutations == 50
    assert all(error > 0 for error in one.standard_errors)
    with pytest.raises(InvalidParameterError, match="permutations"):
        shapley.fit(sets, permutations=3)
    with pytest.raises(InvalidParameterError, match="at most 15"):
        shapley.coalition_values(sets, Smoothing())


def test_a_channel_that_lowers_the_rate_is_reported_negative() -> None:
    rows = [PathCount(("good",), 50, 50), PathCount(("good", "bad"), 0, 100), PathCount(("bad",), 0, 100)]
    found = shapley.fit(SetCounts.from_paths(PathCounts.from_rows(rows)))
    values = dict(zip(found.channels, found.values, strict=True))

    # v: none 0, good 50/200, bad 0/200, all 50/400.
    assert values == pytest.approx({"good": (50 / 200 + 50 / 400) / 2, "bad": (0 + 50 / 400 - 50 / 200) / 2})
    assert values["bad"] < 0


def test_ordered_values_tell_openers_from_closers() -> None:
    """Mail > ads converts, ads > mail does not: ads earns as the second, mail as the first."""
    rows = [PathCount(("mail", "ads", "mail"), 90, 10), PathCount(("ads", "mail"), 0, 100)]
    found = shapley.fit(SetCounts.from_paths(ordered_paths(PathCounts.from_rows(rows), positions=2)))
    values = dict(zip(found.channels, found.values, strict=True))

    assert values["1:mail"] == pytest.approx(values["2:ads"])
    assert values["1:mail"] > 0 > values["2:mail"]
    assert {channel_of(player) for player in values} == {"mail", "ads"}
    with pytest.raises(InvalidParameterError, match="positions"):
        ordered_paths(PathCounts.from_rows(rows), positions=0)


def test_a_rate_needs_something_to_stand_on() -> None:
    sets = SetCounts.from_paths(PathCounts.from_rows([PathCount(("mail",), 1, 1)]))
    with pytest.raises(InvalidParameterError, match="smoothing"):
        shapley.fit(sets, Smoothing(0, 0))
    with pytest.raises(InvalidParameterError, match="2\\*\\*n"):
        shapley.shapley_values(np.zeros(3))
    negative = -sets
    with pytest.raises(InvalidParameterError, match="conversions"):
        shapley.fit(negative)
