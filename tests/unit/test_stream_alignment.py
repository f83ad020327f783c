"""Alignment holds back what is ahead of a topic that is behind, loses nothing, and never waits for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream_app.alignment import MAX_WAIT_S, Alignment
from stream_app.transport import LIVE_RECORDS, Consumer, position

TOUCHES, CONVERSIONS, SPEND = TP("t", 0), TP("c", 0), TP("s", 0)


@dataclass(frozen=True)
class Rec:
    offset: int
    timestamp: int


def records(*timestamps: int, start: int = 0) -> list[Any]:
    return [Rec(start + i, at) for i, at in enumerate(timestamps)]


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_topic_that_is_not_behind_holds_nobody_up() -> None:
    """Live traffic passes at once, whatever its times."""
    alignment = Alignment(("t", "c"))
    alignment.add(CONVERSIONS, 5, records(99, 98, start=5))
    chunks, start = alignment.release(lambda _: False)

    assert [r.offset for r in chunks[CONVERSIONS]] == [5, 6]
    assert start == {CONVERSIONS: 5}
    assert not alignment.waiting


def test_a_limit_cuts_the_topics_of_a_partition_at_the_same_time() -> None:
    """A tenth of the larger topic, and of the other what is not newer; the rest follows."""
    alignment = Alignment(("t", "c"))
    alignment.add(TOUCHES, 0, records(*range(0, 1000, 10)))
    alignment.add(CONVERSIONS, 0, records(*range(5, 1000, 100)))
    chunks, start = alignment.release(lambda _: False, 11)

    assert [r.timestamp for r in chunks[TOUCHES]] == list(range(0, 110, 10))
    assert [r.timestamp for r in chunks[CONVERSIONS]] == [5]
    assert alignment.waiting == {TOUCHES, CONVERSIONS}
    chunks, start = alignment.release(lambda _: False, 1_000)
    assert start == {TOUCHES: 11, CONVERSIONS: 1}
    assert len(alignment) == 0


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=40),
    st.lists(st.integers(0, 50), max_size=40),
    st.integers(1, 30),
)
def test_a_limit_loses_nothing_and_always_moves_on(touches: list[int], conversions: list[int], limit: int) -> None:
    """Whatever the order of the times: chunks follow one another, and every call hands something over."""
    alignment = Alignment(("t", "c"))
    given_ = {TOUCHES: records(*touches)} | ({CONVERSIONS: records(*conversions)} if conversions else {})
    for tp, found in given_.items():
        alignment.add(tp, 0, found)
    read: dict[TP, list[Any]] = {tp: [] for tp in given_}
    while len(alignment):
        chunks, start = alignment.release(lambda _: False, limit)
        assert chunks
        for tp, chunk in chunks.items():
            assert start[tp] == len(read[tp])
            read[tp] += chunk
    assert read == given_


def test_records_newer_than_a_topic_that_is_behind_wait_for_it() -> None:
    """The first part goes, the rest follows when the other topic has come so far; chunk starts stay a chain."""
    alignment = Alignment(("t", "c"))
    alignment.add(TOUCHES, 0, records(10, 20))
    alignment.add(CONVERSIONS, 0, records(15, 25, 30))
    chunks, start = alignment.release(lambda tp: tp == TOUCHES)
    assert [r.timestamp for r in chunks[CONVERSIONS]] == [15]
    assert alignment.waiting == {CONVERSIONS}
    assert start == {TOUCHES: 0, CONVERSIONS: 0}

    alignment.add(TOUCHES, 2, records(28, start=2))
    chunks, start = alignment.release(lambda tp: tp == TOUCHES)
    assert [r.timestamp for r in chunks[CONVERSIONS]] == [25]
    assert start == {TOUCHES: 2, CONVERSIONS: 1}


def test_other_topics_and_other_partitions_are_not_aligned() -> None:
    """Spend passes; partition 1 does not wait for partition 0."""
    alignment = Alignment(("t", "c"))
    alignment.add(SPEND, 0, records(99))
    alignment.add(TP("c", 1), 0, records(99))
    chunks, _ = alignment.release(lambda tp: tp == TOUCHES)

    assert set(chunks) == {SPEND, TP("c", 1)}


def test_nobody_waits_longer_than_allowed_for_a_topic_without_news() -> None:
    """A partition in trouble must not stop the others."""
    clock = Time()
    alignment = Alignment(("t", "c"), clock)
    alignment.add(CONVERSIONS, 0, records(50))
    assert alignment.release(lambda tp: tp == TOUCHES) == ({}, {})
    clock.now = MAX_WAIT_S + 0.1

    chunks, _ = alignment.release(lambda tp: tp == TOUCHES)
    assert len(chunks[CONVERSIONS]) == 1


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 50), min_size=1, max_size=5)), max_size=8))
def test_every_record_comes_out_once_and_in_order(fetches: list[tuple[bool, list[int]]]) -> None:
    """Whatever the times: offsets are contiguous per partition, and no two aligned topics wait for each other."""
    alignment = Alignment(("t", "c"))
    sent = {TOUCHES: 0, CONVERSIONS: 0}
    got: dict[TP, list[int]] = {TOUCHES: [], CONVERSIONS: []}
    for is_touch, timestamps in fetches:
        tp = TOUCHES if is_touch else CONVERSIONS
        alignment.add(tp, sent[tp], records(*timestamps, start=sent[tp]))
        sent[tp] += len(timestamps)
        chunks, start = alignment.release(lambda _: True)
        for found, chunk in chunks.items():
            assert start[found] == len(got[found])
            got[found] += [r.offset for r in chunk]
        assert len(alignment.waiting) < 2, "both topics wait for each other"
    chunks, _ = alignment.release(lambda _: False)
    for found, chunk in chunks.items():
        got[found] += [r.offset for r in chunk]

    assert got == {tp: list(range(count)) for tp, count in sent.items()}
    assert len(alignment) == 0


def test_reading_goes_on_at_the_commit_within_what_the_broker_holds() -> None:
    """Nothing committed, retention, and a topic that was created anew."""
    tp = TP("t", 0)
    cases = {(None, 3, 9): 3, (5, 3, 9): 5, (9, 3, 9): 9, (3, 3, 3): 3, (2, 3, 9): 3, (10, 3, 9): 3, (7, 0, 0): 0}

    assert {case: position(tp, *case) for case in cases} == cases


@pytest.mark.parametrize(
    ("unread", "is_assigned", "expected"),
    [
        (0, True, False),
        (1, True, False),
        (LIVE_RECORDS, True, False),
        (LIVE_RECORDS + 1, True, True),
        (10**6, False, False),
    ],
)
def test_live_traffic_is_not_behind_and_a_backlog_is(unread: int, is_assigned: bool, expected: bool) -> None:
    """There is always something that was not fetched yet; only more than that makes other topics wait."""
    consumer: Any = Consumer.__new__(Consumer)
    consumer._next = {TOUCHES: 100}
    consumer._get_active_partitions = lambda: {TOUCHES} if is_assigned else set()
    consumer.highwater = lambda _: 100 + unread

    assert consumer._is_behind(TOUCHES) is expected
    assert consumer._is_behind(CONVERSIONS) is False
