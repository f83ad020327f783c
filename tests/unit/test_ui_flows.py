"""Paths as flows: nothing is lost on the way, and no column has more places than can be read."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ui.flows import CONVERSION, LATER, MOST, OTHER, STEPS, Flow, Place, flows
from ui.run_words import own_name

CHANNELS = [f"c{i}" for i in range(20)]
PATHS = st.lists(
    st.tuples(st.lists(st.sampled_from(CHANNELS), max_size=9), st.integers(1, 50)), min_size=1, max_size=60
)


@given(PATHS)
def test_every_conversion_with_a_touch_flows_through_once(paths: list[tuple[list[str], int]]) -> None:
    found = flows(paths)
    into: Counter[Place] = Counter()
    out: Counter[Place] = Counter()
    for flow in found:
        into[flow.target] += flow.conversions
        out[flow.source] += flow.conversions
    total = sum(count for steps, count in paths if steps)
    assert sum(n for place, n in out.items() if place.step == 1) == total
    assert into[Place(STEPS + 1, CONVERSION)] == total
    assert all(into[place] == out[place] for place in out if place.step > 1)
    columns = Counter(place.step for place in into | out)
    assert all(number <= MOST for number in columns.values())


def test_the_smallest_are_put_together_and_long_paths_are_cut() -> None:
    many = [([f"c{i}"], 100 - i) for i in range(20)]
    places = {flow.source.name: flow.conversions for flow in flows(many)}
    assert len(places) == MOST
    assert places["c0"] == 100
    assert places[OTHER] == sum(100 - i for i in range(MOST - 1, 20))
    cut = flows([(list("abcdefg"), 2)])
    assert Flow(Place(4, "d"), Place(5, LATER), 2) in cut
    assert len(cut) == STEPS
    assert flows([([], 5)]) == []


def test_a_run_is_named_by_what_was_changed() -> None:
    assert own_name({"half_life_days": 14.0}) == "half-life-14"
    assert own_name({"lookback_days": 30.5, "exclude_channels": ("Direct", "Paid Search")}) == (
        "lookback-30.5-without-direct-paid-search"
    )
    assert own_name({"exclude_channels": ()}) == "without-none"
    assert own_name({}) == "what-if"
    assert len(own_name({"exclude_channels": tuple(CHANNELS * 5)})) <= 64
