"""The changelog: every journey that changed, written in one transaction per partition and epoch.

The transaction is there for fencing, not for exactly-once. Its ``transactional.id`` is application plus
partition, and ``Fence.acquire`` runs ``init_transactions`` when a partition is assigned, before anything is
restored. From then on a paused former owner (a zombie) cannot append: its next commit fails and ends it.
Restoring (``stream_app.restoring``) reads committed records only, so what a fenced owner left unfinished is never seen.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

#: A broker that does not answer for this long ends the worker; a restart begins at the committed offsets.
TIMEOUT_S: Final = 30.0

#: A journey of a hundred thousand conversions. A longer one stops the worker.
MAX_JOURNEY_BYTES: Final = 16 << 20


class FencedError(RuntimeError):
    """Another worker owns the partition now: this one must not write."""


class ChangelogError(RuntimeError):
    """The changelog could not be written or read."""


class PartitionLog:
    """The right to write one changelog partition, held until another worker takes it."""

    def __init__(self, servers: str, topic: str, partition: int, transactional_id: str) -> None:
        self.topic, self.partition = topic, partition
        self._last: int | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "transactional.id": transactional_id,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                # the commit flushes at once; until then nothing is gained by sending part of an epoch
                "message.max.bytes": MAX_JOURNEY_BYTES,
                "linger.ms": 100,
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 512_000,
                "transaction.timeout.ms": int(TIMEOUT_S * 1000),
                "log_level": 3,
                "logger": logging.getLogger("kafka.changelog"),
            }
        )

    def acquire(self) -> None:
        """Fence every former owner. Blocks until the broker has ended their transactions."""
        self._producer.init_transactions(TIMEOUT_S)

    def write(self, journeys: Mapping[bytes, bytes | None]) -> int:
        """Append all journeys (None: a tombstone) in one transaction; returns the offset of the last one.

        Blocks until the broker has committed. Call it outside the event loop.

        Raises:
            FencedError: another worker has taken the partition.
            ChangelogError: the broker refused or did not answer.
        """
        self._last = None
        messages: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in journeys.items()]
        messages[-1]["callback"] = self._delivered
        try:
            self._producer.begin_transaction()
            queued = self._producer.produce_batch(self.topic, messages, partition=self.partition)
            if queued != len(messages):
                raise ChangelogError(f"{len(messages) - queued} of {len(messages)} journeys were not queued")
            self._producer.commit_transaction(TIMEOUT_S)
        except KafkaException as exc:
            raise self._explained(exc) from exc
        if self._last is None:
            raise ChangelogError(f"{self.topic}-{self.partition}: committed without an offset")
        return self._last

    def close(self) -> None:
        """Let go without waiting for anything."""
        self._producer.purge()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._last = message.offset()

    def _explained(self, exc: KafkaException) -> Exception:
        error: KafkaError = exc.args[0]
        name = f"{self.topic}-{self.partition}"
        fenced = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)  # noqa: SLF001  # the constant's name
        if error.code() in fenced:
            return FencedError(f"{name}: another worker owns this partition now ({error.str()})")
        return ChangelogError(f"{name}: {error.str()}")
