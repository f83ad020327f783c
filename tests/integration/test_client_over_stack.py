"""What the Python client tracks is on the topics: the served API with a real broker and the real engine."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from attribution_client import Batching, Client, Delivered
from served_api import served_api
from stream_app.topics import create_topics

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]


def values_of(bootstrap: str, topic: str, wanted: Callable[[dict[str, Any]], bool], count: int) -> list[dict[str, Any]]:
    """The wanted records of a topic, once there are so many; other tests' records may be in any encoding."""
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - only with a broker

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 120
    while len(found) < count and time.monotonic() < end:
        bodies = (m.value() or b"" for m in consumer.consume(1_000, timeout=0.5))
        found += [e for body in bodies if body.startswith(b"{") and wanted(e := json.loads(body))]
    consumer.close()
    return found


def test_tracked_events_are_on_the_topic(
    clickhouse_url: str, clickhouse_database: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    create_topics(kafka_bootstrap)
    customer = uuid.uuid4().hex
    with (
        served_api(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path) as api,
        Client(api.url, api.key, batching=Batching(max_events=200)) as client,
    ):
        named = {client.track(customer, "Email", cost="0.10", currency="USD") for _ in range(1_000)}
        order = client.conversion(customer, "49.90", currency="USD", order_id=customer)
        assert client.flush(60) == Delivered(1_001, 0)
        (touched, sold) = (
            values_of(kafka_bootstrap, f"attribution.{kind}", lambda e: e.get("customer_id") == customer, count)
            for kind, count in (("touchpoints", 1_000), ("conversions", 1))
        )
        assert len(touched) == 1_000
        assert {e["event_id"] for e in touched} == named
        assert [(e["event_id"], e["value_micros"]) for e in sold] == [(order, 49_900_000)]
