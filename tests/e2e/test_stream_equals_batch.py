"""End to end on the real broker and engine: whatever happens on the way, the rows are those of the batch."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulated import Input, assert_converged, simulated
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

#: Small epochs, so that a kill falls between many of them.
SLOW = {"ATTRIBUTION_EPOCH_RECORDS": "400", "ATTRIBUTION_FETCH_BYTES": "32768"}


@pytest.fixture(scope="module")
def data() -> Input:
    return simulated(40_000, seed=7)


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def test_credits_equal_the_batch_and_dead_letters_the_malformed_records(stream: Stream, data: Input) -> None:
    """Duplicates, disorder, late events, refunds and broken records; compared row for row and micro for micro."""
    sent = stream.produce(data.sent())
    stream.start()
    stream.wait()
    assert stream.is_ready()
    code = stream.stop(0)

    assert sent == 40_000
    assert code == 0, stream.log_tail()
    assert not stream.is_ready()
    assert_converged(stream, data)


def test_kill_9_and_a_wiped_directory_leave_no_trace(stream: Stream, data: Input) -> None:
    """Killed twice in the middle, the second time with the loss of its state: same rows, lag 0."""
    total = stream.produce(data.sent())
    stream.start(env=SLOW)
    stream.wait(until=total * 2 // 3)
    stream.stop(0, signal.SIGKILL)
    lag_at_first_kill = stream.lag()
    stream.start(env=SLOW)
    stream.wait(until=total // 3)
    stream.stop(0, signal.SIGKILL)
    lag_at_second_kill = stream.lag()
    stream.wipe(0)
    stream.start(env=SLOW)
    stream.wait()
    code = stream.stop(0)

    assert 0 < lag_at_second_kill < lag_at_first_kill < total
    assert code == 0, stream.log_tail()
    assert_converged(stream, data)


def test_a_replay_of_everything_changes_nothing(stream: Stream, data: Input) -> None:
    """The same records once more at new offsets do not move a credit."""
    stream.produce(data.sent())
    stream.start()
    stream.wait()
    before = stream.credits()
    stream.produce([s for s, r in zip(data.sent(), data.records, strict=True) if not r.is_malformed])
    stream.wait()
    stream.stop(0)

    assert stream.credits() == before


def touch(event_id: str, at: str, channel: str) -> Sent:
    body = {"event_id": event_id, "customer_id": "ada", "occurred_at": at, "channel": channel}
    return Sent("touchpoint", b"ada", json.dumps(body).encode())


def conversion(event_id: str, at: str, **more: Any) -> Sent:
    body = {"event_id": event_id, "customer_id": "ada", "occurred_at": at, "conversion_type": "purchase", **more}
    return Sent("conversion", b"ada", json.dumps(body).encode())


def linear(stream: Stream, expected: list[tuple[str, int]], timeout: float = 20) -> list[tuple[str, int]]:
    """Credits of the linear model as ``(touchpoint_id, value_micros)``, once they are as expected or time is over."""
    deadline = time.monotonic() + timeout
    while True:
        rows = [r for found in stream.credits().values() for r in found if r.model == "linear"]
        got = [(r.touchpoint_id, r.value_micros) for r in rows]
        if got == expected or time.monotonic() > deadline:
            return got
        time.sleep(0.2)


def test_late_touchpoints_and_corrections_rewrite_the_rows_and_sums_stay_exact(stream: Stream) -> None:
    """Conversion first, then its touchpoints, a partial refund, a restatement and a full refund."""
    stream.start()
    stream.produce([conversion("k1", "2026-09-10T12:00:00Z", order_id="o1", value="100.00", currency="USD")])
    expected = [("", 100_000_000)]
    assert linear(stream, expected, timeout=60) == expected

    stream.produce([touch("t2", "2026-09-09T12:00:00Z", "email"), touch("t1", "2026-09-08T12:00:00Z", "paid_search")])
    expected = [("t1", 50_000_000), ("t2", 50_000_000)]
    assert linear(stream, expected) == expected

    refund = {"order_id": "o1", "status": "refunded", "adjusts": "o1"}
    stream.produce([conversion("r1", "2026-09-11T12:00:00Z", value="33.333333", **refund)])
    expected = [("t1", 33_333_334), ("t2", 33_333_333)]
    assert linear(stream, expected) == expected

    stream.produce([conversion("s1", "2026-09-12T12:00:00Z", value="0.000003", adjusts="k1")])
    expected = [("t1", 2), ("t2", 1)]
    assert linear(stream, expected) == expected

    stream.produce([conversion("r2", "2026-09-13T12:00:00Z", **refund)])
    assert linear(stream, []) == []
