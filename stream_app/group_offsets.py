"""How far a consumer group is, asked from outside: its committed offsets beside the bounds of the topics.

The reader never subscribes, so it is no member and disturbs nobody. Offsets are next-to-read, times milliseconds.
Raises ``TopicError`` when the broker does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Self, TypeAlias, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from stream_app.topics import TIMEOUT_S, TopicError, partition_counts

_Answer = TypeVar("_Answer")

#: ``(topic, partition)``
Place: TypeAlias = tuple[str, int]


class Bounds(NamedTuple):
    """The first offset that is still there and the one after the last."""

    low: int
    high: int


class GroupOffsets:
    """A look at one group; a context manager."""

    def __init__(self, servers: str, group_id: str) -> None:
        self._servers = servers
        self._reader = Consumer(
            {"bootstrap.servers": servers, "group.id": group_id, "enable.auto.commit": False, "log_level": 3}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def bounds(self, topics: Sequence[str]) -> dict[Place, Bounds]:
        """Of every partition of the topics.

        Raises:
            TopicError: a topic is missing, or the broker does not answer.
        """
        counts = partition_counts(AdminClient({"bootstrap.servers": self._servers, "log_level": 3}))
        missing = [t for t in topics if t not in counts]
        if missing:
            raise TopicError(f"topics missing: {', '.join(missing)}; create them with `attribution topics create`")
        places = [(topic, partition) for topic in topics for partition in range(counts[topic])]
        return {place: self._asked(partial(self._watermarks, place)) for place in places}

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """What the group has finished, of those partitions where it has finished anything."""
        wanted = [TopicPartition(*place) for place in places]
        found = self._asked(lambda: self._reader.committed(wanted, timeout=TIMEOUT_S))
        return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}

    def reach_back(self, bounds: Mapping[Place, Bounds], to_ms: int) -> bool:
        """Whether nothing that was written from ``to_ms`` on has been deleted: every partition begins before it."""
        cut = [place for place, bound in bounds.items() if bound.low > 0]
        if not cut:
            return True
        wanted = [TopicPartition(*place, max(to_ms, 0)) for place in cut]
        found = self._asked(lambda: self._reader.offsets_for_times(wanted, timeout=TIMEOUT_S))
        return all(tp.offset > bounds[tp.topic, tp.partition].low for tp in found)

    def _watermarks(self, place: Place) -> Bounds:
        return Bounds(*self._reader.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S))

    @staticmethod
    def _asked(question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except KafkaException as exc:
            raise TopicError(f"the Kafka broker does not answer: {exc.args[0].str()}") from exc


def forget_group(servers: str, group_id: str, topics: Sequence[str]) -> None:
    """Delete a group that has no members, and topics of its own; what is not there is no error.

    Raises:
        TopicError: workers of the group are still running, or the broker refuses.
    """
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    existing = partition_counts(admin)
    for future in admin.delete_consumer_groups([group_id], request_timeout=TIMEOUT_S).values():
        try:
            future.result()
        except KafkaException as exc:
            if exc.args[0].name() not in {"GROUP_ID_NOT_FOUND", "INVALID_GROUP_ID"}:
                raise TopicError(f"group {group_id} was not deleted: {exc.args[0].str()}; stop its workers") from exc
    gone = [t for t in topics if t in existing]
    for name, future in (admin.delete_topics(gone, request_timeout=TIMEOUT_S) if gone else {}).items():
        try:
            future.result()
        except KafkaException as exc:
            if exc.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                raise TopicError(f"topic {name} was not deleted: {exc.args[0].str()}") from exc
