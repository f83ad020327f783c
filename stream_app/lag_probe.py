"""Whether records lie behind the committed offsets, asked beside the worker's own consumer, which may be what is stuck.

A difference of offsets would not do: transaction markers and deleted records leave one where there is nothing to
read. So a record is looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

TIMEOUT_S: Final = 5.0


def has_unread(servers: str, group: str, topics: Sequence[str], partitions: Collection[int]) -> bool | None:
    """Blocking; None if the broker does not answer in time. Joins no group and commits nothing."""
    places = [TopicPartition(topic, partition) for topic in topics for partition in partitions]
    if not places:
        return False
    reader = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 65_536,
            "fetch.wait.max.ms": 20,
            "log_level": 0,
        }
    )
    try:
        reader.assign(reader.committed(places, timeout=TIMEOUT_S))
        return _finds_one(reader, len(places))
    except KafkaException:
        return None
    finally:
        reader.close()


def _finds_one(reader: Consumer, count: int) -> bool | None:
    ended = set()
    for _ in range(round(TIMEOUT_S / 0.1) + count):
        message = reader.poll(0.1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
            ended.add((message.topic(), message.partition()))
            if len(ended) == count:
                return False
    return None
