"""A journey at its bound on touches goes on without being read, and is what reading it would have given."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.attribute import Attributor
from attribution.config import DAY_US, AttributionConfig
from attribution.journey import Journey
from attribution.journey_bytes import append_touches
from attribution.touch_bytes import skip_touches
from attribution.types import ConversionCredits, ConversionEvent, Touch

START = 1_760_000_000_000_000
CONFIG = AttributionConfig(lookback_us=60 * DAY_US, allowed_lateness_us=20 * DAY_US)

texts = st.one_of(st.text(max_size=3), st.sampled_from(("e", "é" * 16, "x" * 31, "x" * 32, "y" * 255, "z" * 70_000)))


@given(
    st.lists(st.tuples(st.integers(0, 9), texts), min_size=1, max_size=40),
    st.integers(2, 6),
    st.lists(st.integers(1, 8), min_size=40, max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_appending_to_a_full_journey_is_the_same_as_reading_applying_pruning_and_writing(
    drawn: list[tuple[int, str]], cap: int, chunks: list[int]
) -> None:
    """Touches mostly in order; in epochs of any size, some larger than the bound."""
    config = replace(CONFIG, max_touchpoints=cap)
    touches: list[Touch] = []
    at_us = START
    for i, (days, text) in enumerate(drawn):
        at_us += (days - 1) * DAY_US  # sometimes before the last one
        touches.append((at_us, f"t{i}", text, text[:1]))
    raw: bytes | None = None
    while touches:
        some, touches = touches[: chunks[0]], touches[chunks.pop(0) :]
        journey = Journey() if raw is None else Journey.from_bytes(raw)
        applied = journey.apply(some, [], config)
        journey.prune(applied.newest_before_us, config)
        appended = append_touches(raw, some, config)
        raw = journey.to_bytes()

        assert appended is None or appended == raw


def test_a_full_journey_is_appended_to() -> None:
    """The law above is no tautology: bytes are given, and the oldest but the first are gone."""
    config = replace(CONFIG, max_touchpoints=4)
    raw: bytes | None = None
    for i in range(10):
        raw = append_touches(raw, [(START + i, f"t{i}", "email", "")], config)
        assert raw is not None
    journey = Journey.from_bytes(raw or b"")

    assert [t[1] for t in journey.touches] == ["t0", "t6", "t7", "t8", "t9"]
    assert (journey.truncated, journey.rev) == (True, 10)


@given(
    st.lists(st.tuples(st.sampled_from((-3, 0, 0, 1, 1, 1)), st.booleans()), min_size=4, max_size=40),
    st.integers(2, 5),
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from((0, 0, 0, 1, 2))), min_size=60, max_size=60),
)
@settings(max_examples=600, deadline=None)
def test_conversions_of_a_full_journey_are_written_again_when_the_cap_takes_a_touch_from_them_also_after_crashes(
    drawn: list[tuple[int, bool]], cap: int, epochs: list[tuple[int, int]]
) -> None:
    """Rows of the last one or two epochs are lost, their journeys are not; a replay in other epochs writes the rows."""
    config = replace(CONFIG, models=("linear",), max_touchpoints=cap, lookback_us=5 * DAY_US)
    attributor, journey, rows = Attributor(config), Journey(), dict[str, ConversionCredits]()
    log: list[Touch | ConversionEvent] = []
    at_us = START
    for i, (days, is_touch) in enumerate(drawn):
        at_us += days * DAY_US
        purchase = ConversionEvent(at_us + 1, f"k{i}", "purchase", "", 1_000_003, "USD", "completed", "")
        log.append((at_us, f"t{i}", "email", "") if is_touch else purchase)
    begin = 0
    under_way: list[tuple[int, dict[str, ConversionCredits]]] = []
    for size, lost in epochs:
        some = log[begin : begin + size]
        applied = journey.apply(
            [e for e in some if not isinstance(e, ConversionEvent)],
            [e for e in some if isinstance(e, ConversionEvent)],
            config,
        )
        under_way.append((begin, {c.conversion_id: attributor.attribute(journey, c) for c in applied.affected}))
        begin += size
        if lost:
            begin = under_way[-lost:][0][0]
            del under_way[-lost:]
        elif len(under_way) > 2:
            rows |= under_way.pop(0)[1]
    for _, written in under_way:
        rows |= written
    for event in log[begin:]:
        mine = ([], [event]) if isinstance(event, ConversionEvent) else ([event], [])
        rows |= {c.conversion_id: attributor.attribute(journey, c) for c in journey.apply(*mine, config).affected}

    for conversion in journey.conversions():
        found, now = rows[conversion.conversion_id], attributor.attribute(journey, conversion)
        assert (found.touches, found.micros, found.truncated) == (now.touches, now.micros, now.truncated)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**64 - 1), texts, texts, texts), min_size=1, max_size=5))
def test_touches_are_passed_over_whatever_is_in_them(touches: list[tuple[int, str, str, str]]) -> None:
    """Every size of integer and text; anything else is told."""
    parts = [msgspec.msgpack.encode(t) for t in touches]
    raw = b"".join(parts)
    for count in range(len(parts) + 1):
        assert skip_touches(raw, 0, count) == sum(map(len, parts[:count]))
    with pytest.raises(ValueError, match="no touch begins at byte 0"):
        skip_touches(b"\x93" + raw, 0, 1)
