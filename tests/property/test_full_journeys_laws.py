"""A journey at its bound on touches goes on without being read, and is what reading it would have given."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.config import DAY_US, AttributionConfig
from attribution.journey import Journey
from attribution.journey_bytes import append_touches
from attribution.touch_bytes import skip_touches
from attribution.types import Touch

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


@given(st.lists(st.tuples(st.integers(-(2**63), 2**64 - 1), texts, texts, texts), min_size=1, max_size=5))
def test_touches_are_passed_over_whatever_is_in_them(touches: list[tuple[int, str, str, str]]) -> None:
    """Every size of integer and text; anything else is told."""
    parts = [msgspec.msgpack.encode(t) for t in touches]
    raw = b"".join(parts)
    for count in range(len(parts) + 1):
        assert skip_touches(raw, 0, count) == sum(map(len, parts[:count]))
    with pytest.raises(ValueError, match="no touch begins at byte 0"):
        skip_touches(b"\x93" + raw, 0, 1)
