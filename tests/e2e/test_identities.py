"""Ids of one person on different partitions and workers: the rows are those of one customer with all events."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulated import assert_converged, simulated, with_devices
from stream_harness import Sent, Stream, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

SMALL_EPOCHS = {"ATTRIBUTION_EPOCH_RECORDS": "500", "ATTRIBUTION_FETCH_BYTES": "32768"}


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def test_merged_devices_have_the_credits_of_one_customer_through_a_kill(stream: Stream) -> None:
    """Chains, links before and after the events and twice; two workers, one killed in the middle."""
    data = with_devices(simulated(12_000, seed=31, customers=900), seed=5)
    total = stream.produce(data.sent())
    stream.start(0, env=SMALL_EPOCHS)
    stream.start(1, env=SMALL_EPOCHS)
    stream.wait(until=total // 2)
    stream.stop(1, signal.SIGKILL)
    lag = stream.lag()
    stream.start(1, env=SMALL_EPOCHS)
    stream.wait()

    assert lag > 0
    assert sum(r.kind == "identity" for r in data.records) > 300
    assert_converged(stream, data)


def link(event_id: str, previous: str, survivor: str, at: str) -> Sent:
    body = {"event_id": event_id, "customer_id": survivor, "previous_id": previous, "occurred_at": at}
    return Sent("identity", survivor.encode(), json.dumps(body).encode())


def test_a_cycle_is_refused_with_its_own_bytes_and_the_rest_is_followed(stream: Stream) -> None:
    """A → b → c, then c → a: one dead letter, and all three ids stay one person."""
    touch = {"event_id": "t", "customer_id": "a", "occurred_at": "2026-09-01T00:00:00Z", "channel": "Email"}
    order = {"event_id": "k", "customer_id": "c", "occurred_at": "2026-09-05T00:00:00Z", "value": 3}
    closing = link("l3", "c", "a", "2026-09-04T00:00:00Z")
    stream.produce(
        [
            closing,
            link("l2", "b", "c", "2026-09-03T00:00:00Z"),
            Sent("touchpoint", b"a", json.dumps(touch).encode()),
            link("l1", "a", "b", "2026-09-02T00:00:00Z"),
            Sent("conversion", b"c", json.dumps(order).encode()),
        ]
    )
    stream.start()
    stream.wait()

    ((key, value, headers),) = stream.dead_letters()
    assert (key, value, headers["dlq.reason"]) == (closing.key, closing.value, "identity_cycle")
    linear = [(r.customer_id, r.touchpoint_id, r.value_micros) for r in stream.credits()["k"] if r.model == "linear"]
    assert linear == [("c", "t", 3_000_000)], differences(stream.credits(), {})
