"""The producer's port: the double and Kafka behave alike, and Kafka's keys fall where the workers expect them."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.producer import EventProducer, KafkaProducer, OutRecord
from api.testing import MemoryProducer

TOPIC = "written"
Read = Callable[[int], list[tuple[bytes | None, bytes]]]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def parts(request: pytest.FixtureRequest) -> Iterator[tuple[EventProducer, str, Read]]:
    """A producer, a topic and what can be read of it afterwards."""
    if request.param == "memory":
        memory = MemoryProducer()
        yield memory, TOPIC, lambda _: [(r.key, r.value) for r in memory.records]
        return
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - only with a broker
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # noqa: PLC0415 - same

    bootstrap = request.getfixturevalue("kafka_bootstrap")
    name = f"api-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, num_partitions=4, replication_factor=1)])[name].result(30)

    def read(count: int) -> list[tuple[bytes | None, bytes]]:
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": name, "enable.auto.commit": False})
        consumer.assign([TopicPartition(name, p, 0) for p in range(4)])
        found: list[Any] = []
        end = time.monotonic() + 120
        while len(found) < count and time.monotonic() < end:
            found += [(m.key(), m.value(), m.partition()) for m in consumer.consume(1_000, timeout=1)]
        consumer.close()
        where: dict[bytes | None, set[int]] = {}
        for key, _, partition in found:
            where.setdefault(key, set()).add(partition)
        assert all(len(partitions) == 1 for partitions in where.values())
        assert len({p for partitions in where.values() for p in partitions}) > 1
        return [(key, value) for key, value, _ in found]

    producer = KafkaProducer(bootstrap, timeout_s=10)
    yield producer, name, read
    producer.close()
    admin.delete_topics([name])[name].result(30)


def test_all_that_is_written_is_there_when_write_returns(parts: tuple[EventProducer, str, Read]) -> None:
    producer, topic, read = parts
    records = [OutRecord(topic, f"c-{i % 50}".encode(), f"v-{i}".encode()) for i in range(2_000)]
    assert producer.write(records) == {}
    assert sorted(read(2_000)) == sorted((r.key, r.value) for r in records)


@pytest.mark.kafka
def test_a_topic_that_does_not_exist_fails_by_index_and_the_rest_is_written(kafka_bootstrap: str) -> None:
    producer = KafkaProducer(kafka_bootstrap, timeout_s=3)
    failed = producer.write([OutRecord(f"none-{uuid.uuid4().hex[:6]}", b"k", b"v")] * 2)
    assert sorted(failed) == [0, 1]
    assert all(failed.values())
    producer.close()


@pytest.mark.kafka
def test_a_broker_that_is_away_is_told_in_time() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        producer = KafkaProducer(f"127.0.0.1:{taken.getsockname()[1]}", timeout_s=1)
        begun = time.monotonic()
        failed = producer.write([OutRecord(TOPIC, b"k", b"v")] * 3)
        assert sorted(failed) == [0, 1, 2]
        assert time.monotonic() - begun < 5
        producer.close()
