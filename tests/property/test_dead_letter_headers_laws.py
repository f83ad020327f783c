"""What a dead letter and a record sent again say of themselves, round and round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Rejected
from stream_app.dead_letter_headers import as_text, attempts, history, of_dead_letter, of_retry, original


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    headers: Any
    timestamp: int = 5
    key: bytes = b"k"
    value: bytes = b"v"


own_headers = st.lists(st.tuples(st.sampled_from(["traceparent", "source", "x"]), st.binary(max_size=8)), max_size=4)
place = st.tuples(st.sampled_from(["a.b", "t-1"]), st.integers(0, 9), st.integers(0, 2**40))
places = st.lists(place, min_size=1, max_size=6)


@given(own=own_headers, places=places)
def test_a_record_that_fails_again_and_again_counts_up_and_keeps_its_first_origin(own: Any, places: Any) -> None:
    """The producer's headers stay as they were, in order."""
    headers: Any = own
    for number, (topic, partition, offset) in enumerate(places, 1):
        record = Record(topic, partition, offset, headers)
        letter = of_dead_letter(Rejected(record, "undecodable", "", ""), f"day {number}")
        text = as_text(letter)  # type: ignore[arg-type]  # all values are bytes
        assert (text["dlq.attempts"], attempts(record)) == (str(number), number)
        assert (text["dlq.topic"], text["dlq.offset"]) == (topic, str(offset))
        assert original(letter) == own  # type: ignore[arg-type]
        headers = of_retry(letter)  # type: ignore[arg-type]
        found = history(Record("x", 0, 0, headers))
        assert found is not None
        assert (found.attempts, tuple(found.first), found.first_failed_at) == (number, places[0], "day 1")
        assert original(headers) == own
        assert len(headers) == len(own) + 3


@given(
    value=st.binary(max_size=12),
    name=st.sampled_from(["dlq.attempts", "dlq.retry_of", "dlq.topic", "dlq.retried"]),
)
def test_headers_that_somebody_else_wrote_make_a_first_failure(value: bytes, name: str) -> None:
    """And none of them reaches the letter."""
    record = Record("t", 1, 2, [(name, value)])
    text = as_text(of_dead_letter(Rejected(record, "undecodable", "", ""), "now"))  # type: ignore[arg-type]

    assert (text["dlq.attempts"], text["dlq.topic"], text.get("dlq.retry_of")) == ("1", "t", None)
    assert "dlq.retried" not in text
