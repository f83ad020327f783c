"""Where a consumer group is, taken down for a backup and set again.

The notes that are committed beside offsets (``commit_notes``) are not kept, so limits on dead letters count anew: the
client reads past the end of a note that is not ended by a zero byte.

Raises ``TopicError`` when the broker does not answer, the group is at work, or positions are of another cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from stream_app.topics import TIMEOUT_S, TopicError, partition_counts

_QUIET: Final = 3


class Position(NamedTuple):
    """The next offset of a partition that a group reads."""

    topic: str
    partition: int
    offset: int


def cluster_id(servers: str) -> str:
    """The broker's name for its cluster."""
    try:
        return str(_admin(servers).list_topics(timeout=TIMEOUT_S).cluster_id)
    except KafkaException as exc:
        raise TopicError(f"no Kafka broker answers: {exc.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS") from exc


def positions(servers: str, group_id: str, topics: Sequence[str]) -> list[Position]:
    """Of every partition in which the group has finished anything; a topic that is not there has none."""
    counts = partition_counts(_admin(servers))
    places = [TopicPartition(t, p) for t in topics for p in range(counts.get(t, 0))]
    reader = _consumer(servers, group_id)
    try:
        found = reader.committed(places, timeout=TIMEOUT_S) if places else []
    except KafkaException as exc:
        raise TopicError(f"the positions of group {group_id} cannot be read: {exc.args[0].str()}") from exc
    finally:
        reader.close()
    return [Position(tp.topic, tp.partition, tp.offset) for tp in found if tp.offset >= 0]


def set_positions(servers: str, group_id: str, wanted: Sequence[Position]) -> list[Position]:
    """Let the group go on from there; those are given back behind which records are gone already.

    Raises:
        TopicError: the group has members, a topic is missing, or a position lies behind the end of its partition.
    """
    reader = _consumer(servers, group_id)
    counts = partition_counts(_admin(servers))
    gone = []
    try:
        for position in wanted:
            name = f"{position.topic}-{position.partition}"
            if position.partition >= counts.get(position.topic, 0):
                raise TopicError(f"{name} is not there, but group {group_id} was at {position.offset} in it")
            low, high = reader.get_watermark_offsets(TopicPartition(position.topic, position.partition), TIMEOUT_S)
            if position.offset > high:
                raise TopicError(
                    f"{name} ends at {high}, but group {group_id} was at {position.offset}: the topic was made anew "
                    "after the backup; restore without positions, and replay from the facts (docs/backup.md)"
                )
            if position.offset < low:
                gone.append(position)
        if wanted:
            reader.commit(offsets=[TopicPartition(*position) for position in wanted], asynchronous=False)
    except KafkaException as exc:
        error: KafkaError = exc.args[0]
        if error.code() in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS):
            raise TopicError(f"group {group_id} has members: stop its workers, then restore") from exc
        raise TopicError(f"the positions of group {group_id} cannot be set: {error.str()}") from exc
    finally:
        reader.close()
    return gone


def is_at_work(servers: str, group_id: str) -> bool:
    """Whether the group has members."""
    admin = _admin(servers)  # its answers come while it lives
    found = admin.describe_consumer_groups([group_id], request_timeout=TIMEOUT_S)[group_id]
    try:
        return bool(found.result(TIMEOUT_S * 2).members)
    except KafkaException as exc:
        error: KafkaError = exc.args[0]
        # a broker that has never had a group has nobody who coordinates them
        if error.code() in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE):
            return False
        raise TopicError(f"the members of group {group_id} cannot be asked for: {error.str()}") from exc


def _admin(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers, "log_level": _QUIET})


def _consumer(servers: str, group_id: str) -> Consumer:
    return Consumer(
        {"bootstrap.servers": servers, "group.id": group_id, "enable.auto.commit": False, "log_level": _QUIET}
    )
