"""All events of a customer at once give what the batch says, and what any stream of them has written in the end."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st

from attribution.attribute import Attributor
from attribution.batch import attribute_all
from attribution.config import DAY_US, AttributionConfig
from attribution.journey import Journey
from attribution.recompute import recomputer
from attribution.testing import START_US, configs, conversion_event_lists, touch_lists
from attribution.types import Conversion, ConversionCredits, ConversionEvent, Touch
from attribution.window import Window


def visible(found: Iterable[ConversionCredits]) -> dict[str, ConversionCredits]:
    """Live conversions; how often a journey was changed is no part of the answer."""
    return {c.conversion.conversion_id: replace(c, rev=0) for c in found if c.conversion.is_live}


@given(touch_lists(), conversion_event_lists(), configs())
def test_recomputed_credits_are_those_of_the_batch(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig
) -> None:
    batch = attribute_all([("c", t) for t in touches], [("c", e) for e in events], config)
    assert visible(recomputer(config)(touches, events)) == visible(batch.values())


@given(touch_lists(12), conversion_event_lists(4), configs(("linear", "time_decay")), st.randoms(), st.integers(2, 4))
def test_with_more_touches_than_a_journey_keeps_it_is_what_a_stream_in_any_order_ends_with(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig, chance: random.Random, cap: int
) -> None:
    config = replace(config, max_touchpoints=cap)
    arrivals: list[Touch | ConversionEvent] = [*touches, *events]
    chance.shuffle(arrivals)
    journey, attribute = Journey(), Attributor(config).attribute
    rows: dict[str, ConversionCredits] = {}
    for event in arrivals:
        mine: Sequence[Touch] = () if isinstance(event, ConversionEvent) else (event,)
        known: Sequence[ConversionEvent] = (event,) if isinstance(event, ConversionEvent) else ()
        for conversion in journey.apply(mine, known, config).affected:
            rows[conversion.conversion_id] = attribute(journey, conversion)

    assert visible(recomputer(config)(touches, events)) == visible(rows.values())


def at(day: int, *former: int) -> tuple[str, ConversionCredits]:
    conversion = Conversion(
        "k", "purchase", START_US + day * DAY_US, 5, "USD", former_at_us=tuple(START_US + d * DAY_US for d in former)
    )
    touch = (conversion.at_us, "", "unattributed", "")
    return "c", ConversionCredits(conversion, 1, ("linear",), (touch,), ((1.0,),), ((5,),), ("",))


def test_a_window_is_half_open_and_what_has_left_it_is_deleted() -> None:
    """A conversion whose order was sent again with a time outside: its former day inside must lose the row."""
    window = Window(START_US + DAY_US, START_US + 3 * DAY_US)
    found = window.credits([at(0), at(1), at(2, 7), at(3), at(9, 2), at(9, 8)])
    expected = [(1, True), (2, True), (9, False)]

    assert Window().credits([at(0), at(9, 2)]) == [at(0), at(9, 2)]
    assert [((c.conversion.at_us - START_US) // DAY_US, c.conversion.is_live) for _, c in found] == expected
    assert all(bool(c.touches) is is_live for (_, c), (_, is_live) in zip_longest(found, expected))
    assert Window(0, START_US).holds(START_US - 1)
    assert not Window(0, START_US).holds(START_US)
    assert Window(START_US, 0).holds(START_US)
