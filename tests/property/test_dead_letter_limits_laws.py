"""The limits say of any sequence in any chunks, through any restarts, what a look at every window says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from embedded.supervisor import STAYS_STOPPED
from schemas.records import Rejected
from stream_app.dead_letter_limits import BUCKETS, Counts, LimitGuard, Limits, TooManyInvalidError
from stream_app.exits import LIMIT_STOP, NEWER_STATE

FIRST = TP("t", 0)


def first_over(flags: list[bool], limits: Limits) -> int | None:
    """The definition, record by record: ``flags`` says which are invalid."""
    size = limits.bucket
    for at, is_invalid in enumerate(flags):
        tail = flags[max(0, at - limits.max_consecutive) : at + 1]
        if is_invalid and limits.max_consecutive and len(tail) > limits.max_consecutive and all(tail):
            return at
        begin = max(0, at // size - BUCKETS + 1) * size
        if is_invalid and limits.max_ratio and sum(flags[begin : at + 1]) > limits.max_ratio * size * BUCKETS:
            return at
    return None


@dataclass
class Record:
    offset: int
    partition: int = 0
    topic: str = "t"
    timestamp: int = 0
    key: bytes = b"secret-customer"
    value: bytes = b"{"
    headers: tuple[tuple[str, bytes], ...] = ()


def advance(guard: LimitGuard, begin: int, flags: list[bool], reason: Any = "undecodable", tp: TP = FIRST) -> Any:
    """One epoch; offsets are twice the number, so that gaps between them are common."""
    records = [Record(2 * (begin + i), tp.partition) for i in range(len(flags))]
    rejected = [Rejected(r, reason, "currency", "wrong") for r, bad in zip(records, flags, strict=True) if bad]
    start = 2 * begin - 1 if begin else 0  # where the chunk before ended
    return guard.advance({tp: records}, {tp: start}, rejected)


@given(
    chunks=st.lists(st.lists(st.booleans(), min_size=1, max_size=60), max_size=8),
    restarts=st.sets(st.integers(0, 7)),
    ratio=st.sampled_from([0.0, 0.2, 0.5, 0.75, 1.0]),
    window=st.sampled_from([20, 40, 50, 100]),
    consecutive=st.integers(0, 12),
)
def test_any_chunks_and_restarts_give_what_the_definition_gives(
    chunks: list[list[bool]], restarts: set[int], ratio: float, window: int, consecutive: int
) -> None:
    """The same first record, or none; a guard that begins anew reads the note of the last one."""
    limits, tp, begin = Limits(ratio, window, consecutive), TP("t", 0), 0
    committed: dict[TP, tuple[int, str]] = {}
    guard = LimitGuard(limits, lambda tp: committed.get(tp, (-1, "")))
    want = first_over([flag for chunk in chunks for flag in chunk], limits)
    for number, flags in enumerate(chunks):
        if number in restarts:
            guard = LimitGuard(limits, lambda tp: committed.get(tp, (-1, "")))
        end = begin + len(flags)
        if want is not None and want < end:
            with pytest.raises(TooManyInvalidError, match=f"t-0 at offset {2 * want}:"):
                advance(guard, begin, flags)
            return
        notes: Mapping[TP, str] = advance(guard, begin, flags)
        assert len(notes[tp]) < 4096  # what a broker takes
        committed[tp] = (2 * (end - 1) + 1, notes[tp])
        begin = end


@given(counts=st.lists(st.integers(0, 10**6), min_size=BUCKETS, max_size=BUCKETS), run=st.integers(0, 10**9))
def test_a_note_gives_its_counts_back_and_fits_a_commit(counts: list[int], run: int) -> None:
    found = Counts(10**6, run, 17)
    found.invalid.extend(counts)
    text = found.encode()

    assert len(text) < 400
    assert Counts.decode(text, 10**6).encode() == text


@given(
    text=st.text(max_size=60)
    | st.sampled_from(["v1 5 -1 2 0", "v1 5 1 9 0", "v1 4 1 1 0", "v2 5 1 1 1", "v1 5 1 1 -3"])
)
def test_a_foreign_note_begins_anew(text: str) -> None:
    """Other programs may commit notes of theirs; another window has other buckets."""
    assert Counts.decode(text, 5).encode() == ""


@pytest.mark.parametrize(
    "reason", ["too_late", "erased", "excluded_referrer", "identity_cycle", "too_many_ids", "too_many_conversions"]
)
def test_what_is_no_error_of_a_producer_does_not_count(reason: str) -> None:
    advance(LimitGuard(Limits(0.1, 20, 5), lambda _: (-1, "")), 0, [True] * 100, reason)


def test_partitions_are_counted_apart_and_the_message_has_the_way_out_and_no_customer() -> None:
    guard = LimitGuard(Limits(0, 1_000, 5), lambda _: (-1, ""))
    advance(guard, 0, [True] * 5, tp=TP("t", 0))
    advance(guard, 0, [True] * 5, tp=TP("t", 1))
    with pytest.raises(TooManyInvalidError) as caught:
        advance(guard, 5, [True], tp=TP("t", 1))
    text = str(caught.value)
    assert "t-1 at offset 10: 6 invalid records in a row (limit ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE=5)" in text
    assert "undecodable of currency (1)" in text
    assert "raise the limit" in text
    assert "secret-customer" not in text


def test_the_supervisor_knows_the_exit_codes_that_a_restart_cannot_mend() -> None:
    assert frozenset({LIMIT_STOP, NEWER_STATE}) == STAYS_STOPPED
