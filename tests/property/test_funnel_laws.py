"""Funnels and reasons of any few persons are what the events say, whatever is sent twice, taken back or linked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from funnel_world import CHANNELS, CONFIG, START, START_US, TYPES, build
from hypothesis import given
from hypothesis import strategies as st

from api.funnel_store import MAX_STEPS, FunnelAsked, Step, UnattributedAsked
from api.testing import MemoryStore
from attribution.config import DAY_US

if TYPE_CHECKING:
    from funnel_world import World

STEPS = (
    Step("any"),
    *(Step("touch", name) for name in CHANNELS[:3]),
    Step("touch_type", "click"),
    *(Step("conversion", name) for name in TYPES),
)
WORLDS = st.integers(0, 10_000).map(lambda seed: build(seed, people=5))


def store_of(world: World) -> MemoryStore:
    store = MemoryStore(config=CONFIG, links=world.links)
    store.add_touchpoints(t for p in world.people for t in p.touchpoints)
    store.add_rates(((r.day, r.currency, r.rate) for r in world.rates), base="EUR")
    for customer_id, found in world.credits():
        store.add_credits(customer_id, found)
    return store


@given(
    WORLDS,
    st.lists(st.sampled_from(STEPS), min_size=2, max_size=MAX_STEPS),
    st.integers(-8, 40),
    st.integers(1, 40),
    st.integers(1, 60),
)
def test_a_funnel_counts_those_who_did_the_steps_in_some_sequence(
    world: World, steps: list[Step], first: int, length: int, window: int
) -> None:
    quarter_us = DAY_US // 4
    first_us = START_US + first * quarter_us
    asked = FunnelAsked(tuple(steps), first_us, first_us + length * quarter_us, window * quarter_us)
    found = store_of(world).funnel(asked)
    assert found == world.funnel(asked)
    assert found == sorted(found, reverse=True)
    wider = asked._replace(window_us=asked.window_us + 1, last_us=asked.last_us + 1)
    assert all(more >= n for more, n in zip(store_of(world).funnel(wider), found, strict=True))


@given(WORLDS, st.sampled_from(("USD", "EUR", "CHF")), st.sampled_from(("day", "week", "month")))
def test_a_reason_is_that_of_the_explanation(world: World, currency: str, bucket: str) -> None:
    days = START - timedelta(days=9), START + timedelta(days=30)
    asked = UnattributedAsked(*days, currency, "", bucket, 1)  # type: ignore[arg-type]
    found = store_of(world).unattributed(asked)
    assert (found.rows, found.other_currencies, found.converted_currencies) == world.unattributed(asked)
