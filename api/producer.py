"""The port through which the API writes events, and Kafka behind it.

``write`` returns when every record is confirmed by all in-sync replicas or has failed, and says which. A record that
was not confirmed may be there all the same: events are idempotent by their id, so sending it again is safe.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from api.store import Unavailable

#: Key and value of a record; Kafka's own limit of a batch leaves room for what is around them.
MAX_RECORD_BYTES: Final = 1_000_000


class OutRecord(NamedTuple):
    """What is written: ``key`` decides the partition by murmur2; ``None`` only for what the worker will refuse."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class EventProducer(Protocol):
    """Where events go. Calls block and may come from several threads."""

    def write(self, records: Sequence[OutRecord]) -> dict[int, str]:
        """Write all; the reasons of those that were not confirmed, by index. Empty: everything is durable.

        Raises:
            Unavailable: no producer can be made.
        """

    def close(self) -> None:
        """Send what is queued and give back the connections."""


class _Batch:
    """Counts the delivery reports of one call."""

    def __init__(self, size: int) -> None:
        self.open = set(range(size))
        self.failed: dict[int, str] = {}

    def report(self, index: int) -> Callable[[Any, Any], None]:
        def on_delivery(error: Any, _message: Any) -> None:
            if error is not None:
                self.failed[index] = str(error.str())
            self.open.discard(index)

        return on_delivery


class KafkaProducer:
    """Idempotent, ``acks=all``. ``timeout_s`` bounds one ``write``."""

    def __init__(self, bootstrap_servers: str, *, timeout_s: float) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._client: Any = None

    def write(self, records: Sequence[OutRecord]) -> dict[int, str]:
        """Write all; see the protocol."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - 30 ms, only where it is used

        client = self._connected()
        batch = _Batch(len(records))
        end = time.monotonic() + self._timeout_s
        for index, record in enumerate(records):
            while True:
                try:
                    report, headers = batch.report(index), list(record.headers) or None
                    client.produce(record.topic, record.value, record.key, on_delivery=report, headers=headers)
                except BufferError:
                    if time.monotonic() >= end:
                        self._not_queued(batch, range(index, len(records)), "the queue to Kafka is full")
                        break
                    client.poll(0.05)
                    continue
                except KafkaException as error:
                    self._drop(client)
                    self._not_queued(batch, range(index, len(records)), error.args[0].str())
                break
            if index in batch.failed and index not in batch.open:
                break
        # the client ends every record within delivery.timeout.ms; one second more is for its report
        while batch.open and time.monotonic() < end + 1:
            client.poll(0.01)
        return batch.failed | dict.fromkeys(batch.open, "no answer in time")

    def close(self) -> None:
        """Send what is queued."""
        with self._lock:
            if self._client is not None:
                self._client.flush(self._timeout_s)
                self._client = None

    @staticmethod
    def _not_queued(batch: _Batch, indices: range, reason: str) -> None:
        batch.failed.update(dict.fromkeys(indices, reason))
        batch.open.difference_update(indices)

    def _drop(self, client: Any) -> None:
        """A client with a fatal error never writes again: the next call makes another."""
        with self._lock:
            if self._client is client:
                self._client = None

    def _connected(self) -> Any:
        from confluent_kafka import KafkaException, Producer  # noqa: PLC0415 - see write

        with self._lock:
            if self._client is None:
                try:
                    self._client = Producer(
                        {
                            "bootstrap.servers": self._bootstrap_servers,
                            "partitioner": "murmur2_random",
                            "acks": "all",
                            "enable.idempotence": True,
                            "compression.type": "lz4",
                            "linger.ms": 5,
                            "message.max.bytes": 1_200_000,
                            "batch.size": 524_288,
                            "queue.buffering.max.messages": 200_000,
                            "queue.buffering.max.kbytes": 262_144,
                            "delivery.timeout.ms": max(1_000, int(self._timeout_s * 1_000)),
                            "allow.auto.create.topics": False,
                            "log_level": 2,
                        },
                        logger=logging.getLogger("api.kafka"),
                    )
                except KafkaException as error:
                    raise Unavailable("kafka", error.args[0].str()) from error
            return self._client
