"""Laws of the reports over paths, over generated journeys with refunds, cancellations and several currencies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths_truth import DAYS, Truth, World, build_world, steps_of

from api import paths_report
from api.paths_store import PathsAsked, PathsShown
from tests.contract.test_api_store import START, load_memory

WORLDS = st.builds(build_world, st.integers(0, 2**32), st.integers(0, 25))
CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "GBP"])


def asked(currency: str) -> PathsAsked:
    return PathsAsked(1, START, START + timedelta(days=DAYS - 1), currency, "", 7)


@settings(max_examples=40)
@given(WORLDS, CURRENCIES, st.booleans(), st.booleans())
def test_all_reports_are_of_the_same_conversions(
    world: World, currency: str, by_campaign: bool, collapse: bool
) -> None:
    held, question, truth = load_memory(world.after), asked(currency), Truth(world.after, currency)
    touched = sum(1 for s in truth.sold if s.touches)
    top = held.top_paths(question, PathsShown("", by_campaign, collapse, None, 1_000))
    assists = held.assists(question)
    assert top.total.conversions == sum(p.sum.conversions for p in top.paths) == len(truth.sold)
    assert {tuple(map(tuple, p.steps)): p.sum[:2] for p in top.paths} == truth.sums(
        lambda s: [steps_of(s.touches, by_campaign=by_campaign, collapse=collapse)]
    )
    assert sum(p.conversions for p in assists.first.values()) == touched
    assert sum(p.conversions for p in assists.last.values()) == touched
    assert assists.untouched.conversions == len(truth.sold) - touched
    assert all(part.conversions <= touched for part in assists.assist.values())


@settings(max_examples=40)
@given(WORLDS, CURRENCIES, st.integers(1, 9))
def test_shares_add_up_and_the_last_touch_is_never_before_the_first(world: World, currency: str, longest: int) -> None:
    held, question = load_memory(world.after), asked(currency)
    found = held.path_lengths(question, longest)
    lengths, lags = paths_report.lengths(found, longest), paths_report.lags(held.time_lags(question))
    first, last = [b.since_first_touch for b in lags], [b.since_last_touch for b in lags]
    for rows in (lengths, first, last):
        assert sum(r.conversions for r in rows) == sum(p.conversions for p in found.by_length.values())
        if found.by_length:
            assert sum(r.share or 0 for r in rows) == pytest.approx(1)
            assert rows[-1].cumulative_share == 1
    assert sum(r.value_micros for r in first) == sum(r.value_micros for r in last)
    for a, b in zip(first, last, strict=True):
        assert (a.cumulative_share or 0) <= (b.cumulative_share or 0)
