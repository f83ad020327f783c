"""Bootstrap weights are Poisson(1), stable for ever, and replicates are counts like any other."""

from __future__ import annotations

from fractions import Fraction
from math import exp, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from datadriven import bootstrap
from datadriven.coalitions import SetCounts
from datadriven.counts import TransitionCounts
from datadriven.fit import markov_shares, shapley_shares
from datadriven.paths import PathCount, PathCounts
from path_truth import populations


def test_weights_are_what_they_always_were() -> None:
    """Published numbers: a change here would move every interval ever shown."""
    keys = bootstrap.customer_keys(["customer-1", "customer-2", "Ünï", ""])

    assert keys.tolist()[3] == 0x141CFC9842C4B0E3  # SHA-256 of nothing begins e3 b0 c4 42 98 fc 1c 14
    assert bootstrap.uniform(np.zeros(1, dtype=np.uint64), 0)[0] == 0xE220A8397B1DCDAF  # SplitMix64, seed 0
    assert bootstrap.uniform(np.zeros(1, dtype=np.uint64), 1)[0] == 0x6E789E6AA1B965F4
    assert [bootstrap.weights(keys, b).tolist() for b in range(3)] == [[1, 1, 0, 2], [0, 0, 0, 1], [1, 1, 0, 1]]


def test_weights_follow_the_poisson_distribution() -> None:
    keys = bootstrap.uniform(np.arange(200_000, dtype=np.uint64), 7)
    one, two = bootstrap.weights(keys, 0), bootstrap.weights(keys, 1)

    for k in range(5):
        expected = exp(-1) / factorial(k)
        assert abs((one == k).mean() - expected) < 5 * np.sqrt(expected / 200_000)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02


def test_thresholds_are_the_distribution_in_integers() -> None:
    """Against 1/e as an alternating series of fractions, exact far beyond 64 bits."""
    inverse_e = sum(Fraction((-1) ** i, factorial(i)) for i in range(40))
    found = bootstrap.poisson_thresholds()
    cumulated = [inverse_e * sum(Fraction(1, factorial(i)) for i in range(k + 1)) for k in range(len(found))]

    assert found == tuple(int(chance * 2**64) for chance in cumulated)
    assert 2**64 - found[-1] < 10


@given(rows=populations(), order=st.integers(1, 3), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_replicates_are_the_counts_of_weighted_journeys(rows: list[PathCount], order: int, seed: int) -> None:
    paths = PathCounts.from_rows([r._replace(value_micros=0) for r in rows])
    keys = bootstrap.uniform(np.arange(len(rows), dtype=np.uint64), seed)

    for b, counts in enumerate(bootstrap.replicate_counts(paths, keys, 3, order)):
        drawn = bootstrap.weights(keys, b)
        weighted = paths.weighted(paths.converted * drawn, paths.nulls * drawn)
        assert counts == TransitionCounts.from_paths(weighted, order)


def test_intervals_cover_and_overlaps_are_named() -> None:
    """Two channels alike and one far behind, from journeys of 2,000 customers."""
    drawn = np.random.default_rng(2)
    steps = drawn.choice(3, 2_000, p=[0.45, 0.45, 0.1])
    converted = (drawn.random(2_000) < 0.2).astype(np.int64)
    paths = PathCounts.from_columns(["a", "b", "rare"], np.arange(2_001), steps, converted)
    keys = bootstrap.customer_keys(f"c{i}" for i in range(2_000))

    point = markov_shares(TransitionCounts.from_paths(paths))
    replicates = [markov_shares(c) for c in bootstrap.replicate_counts(paths, keys, 60)]
    found = bootstrap.uncertainty(point, replicates)
    first, second, third = found.channels

    assert {first.channel, second.channel} == {"a", "b"}
    assert third.channel == "rare"
    assert third.rank_stability == 1.0
    assert all(c.low < c.share < c.high for c in found.channels)
    assert 0.05 < third.low < 0.1 < third.high < 0.15
    assert found.overlaps == ((first.channel, second.channel),)


def test_shares_add_up_and_a_replicate_without_conversions_has_none() -> None:
    paths = PathCounts.from_rows([PathCount(("a", "b"), 9, 1), PathCount(("c",), 0, 90)])
    nothing = TransitionCounts.from_paths(paths.weighted(paths.converted * 0, paths.nulls))

    assert markov_shares(TransitionCounts.from_paths(paths)) == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert shapley_shares(SetCounts.from_paths(paths)) == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert markov_shares(nothing) == {}


def test_a_channel_that_a_replicate_lacks_has_no_share_there() -> None:
    found = bootstrap.uncertainty({"a": 0.75, "b": 0.25}, [{"a": 1.0}, {"a": 0.5, "b": 0.5}], level=0.5)
    assert [(c.channel, c.low, c.high) for c in found.channels] == [("a", 0.625, 0.875), ("b", 0.125, 0.375)]
    assert found.overlaps == ()


@pytest.mark.parametrize(("replicates", "level", "field"), [(1, 0.95, "replicates"), (2, 1.0, "level")])
def test_what_gives_no_interval_is_refused(replicates: int, level: float, field: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        bootstrap.uncertainty({"a": 1.0}, [{"a": 1.0}] * replicates, level=level)
    assert refused.value.field == field


def test_every_journey_needs_its_customer() -> None:
    paths = PathCounts.from_rows([PathCount(("a",), 1)])
    with pytest.raises(InvalidParameterError, match="each of the 1 journeys"):
        next(bootstrap.replicate_counts(paths, np.zeros(2, dtype=np.uint64), 1))
