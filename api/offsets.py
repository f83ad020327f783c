"""End offsets of the input topics, straight from Kafka.

The reader is a consumer that never subscribes and never joins a group, so asking moves nobody's partitions.
Answers are kept for a moment, since every dashboard asks the same. Raises ``store.Unavailable`` ("kafka").
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from api.store import Unavailable


class Bounds(NamedTuple):
    """Oldest kept offset and the next one to be written."""

    low: int
    high: int


class OffsetReader(Protocol):
    """Where the topics end. Calls block."""

    def read(self) -> dict[tuple[str, int], Bounds]:
        """Bounds by ``(topic, partition)``; a topic that does not exist has none."""

    def close(self) -> None:
        """Give back the connection."""


class KafkaOffsets:
    """The real reader. ``monotonic`` is the clock of the cache, in seconds."""

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        *,
        timeout_s: float,
        cache_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topics = tuple(topics)
        self._timeout_s = timeout_s
        self._cache_s = cache_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._consumer: Any = None
        self._known: dict[tuple[str, int], Bounds] | Unavailable | None = None
        self._known_at = 0.0

    def read(self) -> dict[tuple[str, int], Bounds]:
        """Bounds by ``(topic, partition)``, at most ``cache_s`` old; a failure is remembered as long.

        Raises:
            Unavailable: Kafka did not answer in time.
        """
        with self._lock:  # one question at a time: those who wait get the fresh answer
            if self._known is None or self._monotonic() - self._known_at >= self._cache_s:
                try:
                    self._known = self._ask()
                except Unavailable as error:
                    self._known = error
                self._known_at = self._monotonic()
            if isinstance(self._known, Unavailable):
                raise Unavailable(self._known.dependency, self._known.reason)
            return self._known

    def close(self) -> None:
        """Give back the connection."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _ask(self) -> dict[tuple[str, int], Bounds]:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - 30 ms, only where it is used

        try:
            if self._consumer is None:
                self._consumer = self._connect()
            metadata = self._consumer.list_topics(timeout=self._timeout_s)
            return {
                (topic, partition): self._bounds(topic, partition)
                for topic in self._topics
                if topic in metadata.topics
                for partition in sorted(metadata.topics[topic].partitions)
            }
        except KafkaException as error:
            self._drop()
            raise Unavailable("kafka", error.args[0].str() if error.args else "error") from error
        except Unavailable:
            self._drop()
            raise

    def _bounds(self, topic: str, partition: int) -> Bounds:
        from confluent_kafka import TopicPartition  # noqa: PLC0415 - see _ask

        found = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=self._timeout_s)
        if found is None:
            raise Unavailable("kafka", f"no offsets of {topic}/{partition} in time")
        return Bounds(*found)

    def _connect(self) -> Any:
        from confluent_kafka import Consumer  # noqa: PLC0415 - see _ask

        return Consumer(
            {
                "bootstrap.servers": self._bootstrap_servers,
                "group.id": "attribution-api-offsets",  # required by the client; nothing ever joins it
                "enable.auto.commit": False,
                "allow.auto.create.topics": False,
                "log_level": 2,  # only what is critical: that nobody answers is told by the answer
                "socket.connection.setup.timeout.ms": max(1_000, int(self._timeout_s * 1_000)),
            },
            logger=logging.getLogger("api.kafka"),  # not to stderr: an unreachable broker is an answer here
        )
