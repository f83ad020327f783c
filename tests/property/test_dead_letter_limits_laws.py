"""The limits say of any sequence in any chunks what a look at every window says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.supervisor import STAYS_STOPPED
from schemas.records import Rejected
from stream_app.dead_letter_limits import Count, LimitGuard, Limits, TooManyInvalidError
from stream_app.worker import LIMIT_STOP


def first_over(flags: list[bool], limits: Limits) -> int | None:
    """The definition, record by record."""
    for end in range(1, len(flags) + 1):
        tail = flags[max(0, end - limits.max_consecutive - 1) : end]
        if limits.max_consecutive and len(tail) > limits.max_consecutive and all(tail):
            return end - 1
        window = flags[max(0, end - limits.window) : end]
        if limits.max_ratio and end >= limits.window and sum(window) > limits.max_ratio * limits.window:
            return end - 1
    return None


@given(
    chunks=st.lists(st.lists(st.booleans(), min_size=1, max_size=12), max_size=8),
    ratio=st.sampled_from([0.0, 0.2, 0.5, 0.75, 1.0]),
    window=st.integers(1, 10),
    consecutive=st.integers(0, 6),
)
def test_any_chunks_give_what_the_definition_gives(
    chunks: list[list[bool]], ratio: float, window: int, consecutive: int
) -> None:
    """The same first record, or none."""
    limits, count, begin = Limits(ratio, window, consecutive), Count(), 0
    found = None
    for chunk in chunks:
        over = count.first_over(len(chunk), [i for i, flag in enumerate(chunk) if flag], limits)
        if over is not None:
            found = begin + over[0]
            break
        begin += len(chunk)
        assert len(count.invalid) <= window
    assert found == first_over([flag for chunk in chunks for flag in chunk], limits)


@dataclass
class Record:
    offset: int
    partition: int = 0
    topic: str = "t"
    timestamp: int = 0
    key: bytes = b"secret-customer"
    value: bytes = b"{"
    headers: tuple[tuple[str, bytes], ...] = ()


def shown_to(guard: LimitGuard, reason: Any, count: int, partition: int = 0) -> None:
    records = [Record(i, partition) for i in range(count)]
    guard.check([(("t", partition), records)], [Rejected(r, reason, "currency", "wrong") for r in records])


@pytest.mark.parametrize("reason", ["too_late", "erased"])
def test_what_is_no_error_of_a_producer_does_not_count(reason: str) -> None:
    shown_to(LimitGuard(Limits(0.1, 5, 5)), reason, 100)


def test_partitions_are_counted_apart_and_the_message_has_the_way_out_and_no_customer() -> None:
    guard = LimitGuard(Limits(0, 1_000, 5))
    shown_to(guard, "undecodable", 5, 0)
    shown_to(guard, "undecodable", 5, 1)
    with pytest.raises(TooManyInvalidError) as caught:
        shown_to(guard, "undecodable", 1, 1)
    text = str(caught.value)
    assert "t-1 at offset 0: 6 invalid records in a row, 5 are allowed" in text
    assert "undecodable in currency (1)" in text
    assert "ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE" in text
    assert "secret-customer" not in text


def test_the_supervisor_knows_the_exit_code() -> None:
    assert frozenset({LIMIT_STOP}) == STAYS_STOPPED
