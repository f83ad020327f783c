"""The changelog: every journey that changed, written in one transaction per partition and epoch.

The transaction is there for fencing, not for exactly-once. Its ``transactional.id`` is application plus
partition, and ``Fence.acquire`` runs ``init_transactions`` when a partition is assigned, before anything is
restored. From then on a paused former owner (a zombie) cannot append: its next commit fails and ends it.
Restoring reads committed records only, so what a fenced owner left unfinished is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from mode import get_logger

logger = get_logger(__name__)

#: A broker that does not answer for this long ends the worker; a restart begins at the committed offsets.
TIMEOUT_S: Final = 30.0

#: A journey of a hundred thousand conversions. A longer one stops the worker.
MAX_JOURNEY_BYTES: Final = 16 << 20


#: Of a restore, per partition: records a chunk, bytes a fetch, bytes that wait in memory (KiB).
CHUNK_RECORDS: Final = 20_000
FETCH_BYTES: Final = 8 << 20
QUEUED_KIB: Final = 16 << 10


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


def restore(
    servers: str,
    topic: str,
    partition: int,
    *,
    after: int | None,
    apply: Callable[[Mapping[bytes, bytes | None], int], None],
    is_cancelled: Callable[[], bool],
    all_kept_since_ms: int = 0,
    bounds: Callable[[int, int], None] = lambda _begin, _end: None,
) -> int:
    """Feed every committed changelog record behind offset ``after`` to ``apply`` in chunks, last value per key.

    Blocking; returns the number of records read. ``apply(journeys, offset)`` gets the offset of the last
    record of its chunk. ``bounds`` is told once from where to where offsets go. ``all_kept_since_ms``:
    of what was written before, compaction may have dropped tombstones.

    Raises:
        StaleStateError: ``after`` lies behind the end of the topic (the topic was created anew), or the state was
            away for so long that a tombstone meant for it may be gone.
        ChangelogError: nothing came for ``TIMEOUT_S`` seconds.
    """
    reader = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{topic}-restore",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
            "fetch.message.max.bytes": FETCH_BYTES,
            "queued.min.messages": CHUNK_RECORDS * 2,
            "queued.max.messages.kbytes": QUEUED_KIB,
            "log_level": 3,
        }
    )
    try:
        low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        if after is not None and after >= high:
            raise StaleStateError(f"{topic}-{partition}: local state is at {after}, the topic ends at {high}")
        if after is not None and _has_missed(reader, TopicPartition(topic, partition, all_kept_since_ms), after, high):
            raise StaleStateError(
                f"{topic}-{partition}: local state was away longer than tombstones are kept, deleted keys might return"
            )
        begin = low if after is None else max(low, after + 1)
        if begin >= high:
            return 0
        bounds(begin, high)
        reader.assign([TopicPartition(topic, partition, begin)])
        return _drain(reader, f"{topic}-{partition}", apply, is_cancelled)
    finally:
        reader.close()


def _has_missed(reader: Consumer, since: TopicPartition, after: int, high: int) -> bool:
    """Whether records behind ``after`` are, or were, older than a time; one marker follows every transaction."""
    (found,) = reader.offsets_for_times([since], timeout=TIMEOUT_S)
    first_recent = found.offset if found.offset >= 0 else high
    return first_recent > after + 2


class StaleStateError(RuntimeError):
    """The local state belongs to a changelog that is no more."""


def _drain(
    reader: Consumer,
    name: str,
    apply: Callable[[Mapping[bytes, bytes | None], int], None],
    is_cancelled: Callable[[], bool],
) -> int:
    count = 0
    waited = 0.0
    while not is_cancelled():
        messages = reader.consume(CHUNK_RECORDS, timeout=0.02)
        waited = 0.0 if messages else waited + 0.02
        if waited > TIMEOUT_S:
            raise ChangelogError(f"{name}: nothing received for {TIMEOUT_S:.0f} s while restoring")
        journeys: dict[bytes, bytes | None] = {}
        last = at_end = None
        for message in messages:
            error = message.error()
            if error is None:
                journeys[message.key() or b""] = message.value()
                last = message
                count += 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
                at_end = True
            elif error.fatal() or not error.retriable():
                raise ChangelogError(f"{name}: {error.str()}")
        if last is not None:
            apply(journeys, cast(int, last.offset()))
        if at_end:
            break
    return count
