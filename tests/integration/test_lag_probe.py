"""Records behind the committed offsets, on a real broker: what only looks like one is none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from embedded.ports import free_port
from stream_app.lag_probe import has_unread

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka_bootstrap: str) -> Iterator[str]:
    name = f"probe-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result()
    yield name
    admin.delete_topics([name])[name].result()


def test_work_is_a_record_not_a_difference_of_offsets(kafka_bootstrap: str, topic: str) -> None:
    """Of assigned partitions only; transaction markers and deleted records are nothing to read."""
    settings = {"bootstrap.servers": kafka_bootstrap, "group.id": topic}
    group = Consumer(settings)
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "transactional.id": topic})
    producer.init_transactions()

    def unread(*partitions: int) -> bool | None:
        return has_unread(kafka_bootstrap, topic, [topic], partitions)

    assert unread(0, 1) is False
    producer.begin_transaction()
    producer.produce(topic, b"x", partition=1)
    producer.commit_transaction()
    assert (unread(0), unread(1), unread(0, 1), unread()) == (False, True, True, False)

    group.commit(offsets=[TopicPartition(topic, 1, 1)], asynchronous=False)
    assert group.get_watermark_offsets(TopicPartition(topic, 1))[1] == 2
    assert unread(0, 1) is False

    producer.begin_transaction()
    producer.produce(topic, b"y", partition=0)
    producer.commit_transaction()
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        future.result()
    assert unread(0, 1) is False
    group.close()


def test_a_broker_that_does_not_answer_is_not_known() -> None:
    assert has_unread(f"127.0.0.1:{free_port()}", "g", ["t"], [0]) is None
