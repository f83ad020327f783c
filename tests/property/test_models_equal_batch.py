"""The hot path over a journey says, to the last bit, what the naive batch says over the same events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.attribute import Attributor
from attribution.batch import attribute_all
from attribution.journey import Journey
from attribution.testing import configs, conversion_event_lists, touch_lists

if TYPE_CHECKING:
    import random

    from attribution.config import AttributionConfig
    from attribution.types import ConversionCredits, ConversionEvent, Touch


def _stream(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig
) -> dict[str, ConversionCredits]:
    journey, attributor = Journey(), Attributor(config)
    for touch in touches:
        journey.apply([touch], [], config)
    for event in events:
        journey.apply([], [event], config)
    return {c.conversion_id: attributor.attribute(journey, c) for c in journey.conversions()}


@given(touches=touch_lists(), events=conversion_event_lists(), config=configs())
@settings(max_examples=600, deadline=None)
def test_stream_equals_batch(touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig) -> None:
    """All models, with corrections, milestones, resets, exclusions, ties and window edges."""
    streamed = _stream(touches, events, config)

    batch = attribute_all([("c", t) for t in touches], [("c", e) for e in events], config)

    assert streamed == batch


@given(
    touches=touch_lists(),
    events=conversion_event_lists(),
    config=configs(),
    rng=st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_arrival_order_and_duplicates_change_nothing(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig, rng: random.Random
) -> None:
    """Any shuffle with any duplicates gives the same credits, in the stream and in the batch."""
    again_touches, again_events = touches * 2, events * 2
    rng.shuffle(again_touches)
    rng.shuffle(again_events)

    batch = attribute_all([("c", t) for t in again_touches], [("c", e) for e in again_events], config)

    assert _stream(again_touches, again_events, config) == _stream(touches, events, config) == batch


@given(touches=touch_lists(), events=conversion_event_lists(max_size=5), config=configs(models=("linear", "w_shaped")))
@settings(max_examples=150, deadline=None)
def test_rows_written_so_far_equal_batch_after_every_event(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig
) -> None:
    """Writing only what ``apply`` calls affected leaves no stale row behind."""
    journey, attributor = Journey(), Attributor(config)
    rows: dict[str, ConversionCredits] = {}
    seen_touches: list[Touch] = []
    seen_events: list[ConversionEvent] = []
    arrivals: list[tuple[list[Touch], list[ConversionEvent]]] = [([t], []) for t in touches]
    arrivals[1:1] = [([], [e]) for e in events]
    for new_touches, new_events in arrivals:
        seen_touches += new_touches
        seen_events += new_events
        for conversion in journey.apply(new_touches, new_events, config).affected:
            rows[conversion.conversion_id] = attributor.attribute(journey, conversion)

        batch = attribute_all([("c", t) for t in seen_touches], [("c", e) for e in seen_events], config)
        assert {k: replace(v, rev=0) for k, v in rows.items()} == {k: replace(v, rev=0) for k, v in batch.items()}
