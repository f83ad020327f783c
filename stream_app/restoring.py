"""The way back: the changelog of one partition into its store, in few large writes.

Records are read once, in order, and gathered in a dict, so of all values of a key in a chunk only the last is written.
A chunk is one atomic write of journeys and offset: a kill in the middle goes on behind the last chunk that is on disk.
A chunk ends at ``CHUNK_RECORDS`` or ``CHUNK_BYTES``, whichever is first; memory per partition is that and what
has been fetched and not read (``_TAKE_BYTES`` twice).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from stream_app.changelog import TIMEOUT_S, ChangelogError

CHUNK_RECORDS: Final = 100_000
CHUNK_BYTES: Final = 32 << 20

#: Messages are taken from the client's queue so many at a time, fewer when they are large.
_TAKE_RECORDS: Final = 5_000
_TAKE_BYTES: Final = 8 << 20

_READER: Final = {
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 20,
    # a short queue that is filled again at once: its memory stays in the processor's cache
    "queued.min.messages": 20_000,
    "queued.max.messages.kbytes": _TAKE_BYTES >> 10,
    "fetch.queue.backoff.ms": 5,
    "log_level": 3,
    "logger": logging.getLogger("kafka.restore"),
}

Apply = Callable[[Mapping[bytes, bytes | None], int], None]


class StaleStateError(RuntimeError):
    """The local state belongs to a changelog that is no more."""


def restore(
    servers: str,
    topic: str,
    partition: int,
    *,
    after: int | None,
    apply: Apply,
    is_cancelled: Callable[[], bool],
    all_kept_since_ms: int = 0,
    on_begin: Callable[[int, int], None] = lambda _first, _end: None,
) -> int:
    """Feed every committed changelog record behind offset ``after`` to ``apply`` in chunks, last value per key.

    Blocking; returns the number of records read. ``apply(journeys, offset)`` gets the offset of the last
    record of its chunk. ``all_kept_since_ms``: of what was written before, compaction may have dropped tombstones.
    ``on_begin`` is told the first offset and the one behind the last, if there is anything to read. When cancelled,
    what is gathered and not stored yet is dropped.

    Raises:
        StaleStateError: ``after`` lies behind the end of the topic (the topic was created anew), or the state was
            away for so long that a tombstone meant for it may be gone.
        ChangelogError: nothing came for ``TIMEOUT_S`` seconds, or the broker refused.
    """
    reader = Consumer({**_READER, "bootstrap.servers": servers, "group.id": f"{topic}-restore"})
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
        on_begin(begin, high)
        reader.assign([TopicPartition(topic, partition, begin)])
        return _drain(reader, f"{topic}-{partition}", apply, is_cancelled)
    finally:
        reader.close()


def _has_missed(reader: Consumer, since: TopicPartition, after: int, high: int) -> bool:
    """Whether records behind ``after`` are, or were, older than a time; one marker follows every transaction."""
    (found,) = reader.offsets_for_times([since], timeout=TIMEOUT_S)
    first_recent = found.offset if found.offset >= 0 else high
    return first_recent > after + 2


def _drain(reader: Consumer, name: str, apply: Apply, is_cancelled: Callable[[], bool]) -> int:
    count = gathered = size = 0
    offset = -1
    waited = 0.0
    take = _TAKE_RECORDS // 10
    journeys: dict[bytes, bytes | None] = {}
    at_end = False
    while not at_end:
        if is_cancelled():
            return count
        messages = reader.consume(take, timeout=0.2)
        waited = 0.0 if messages else waited + 0.2
        if waited > TIMEOUT_S:
            raise ChangelogError(f"{name}: nothing received for {TIMEOUT_S:.0f} s while restoring")
        records = [m for m in messages if m.error() is None]
        at_end = len(records) < len(messages) and _is_end(messages, name)
        if records:
            offset = records[-1].offset() or 0
            taken = sum(map(len, records))  # of a message: that of its value
            take = max(1, min(_TAKE_RECORDS, _TAKE_BYTES * len(records) // (taken + 1)))
            journeys.update([(m.key() or b"", m.value()) for m in records])
            count, gathered, size = count + len(records), gathered + len(records), size + taken
        del messages, records
        if journeys and (at_end or gathered >= CHUNK_RECORDS or size >= CHUNK_BYTES):
            apply(journeys, offset)
            journeys, gathered, size = {}, 0, 0
    return count


def _is_end(messages: Sequence[Message], name: str) -> bool:
    """Whether the end of the partition is among them; raises what is no passing trouble."""
    at_end = False
    for message in messages:
        if (error := message.error()) is None:
            continue
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
            at_end = True
        elif error.fatal() or not error.retriable():
            raise ChangelogError(f"{name}: {error.str()}")
    return at_end
