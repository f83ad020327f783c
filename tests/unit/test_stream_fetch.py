"""Slim records are what aiokafka's own unpacking gives, wherever it begins and is interrupted."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from stream_app.fetch import Record, SlimRecords, slim

TP = TopicPartition("touchpoints", 3)
#: ``compression_type`` of a batch.
PLAIN, LZ4 = 0, 3


def batch(first: int, count: int, *, compression: int = PLAIN, control: bool = False) -> bytes:
    """``count`` records from ``first`` on: every third has headers, every fifth no key, every seventh no value."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for i in range(count):
        n = first + i
        headers = [("ce_id", b"%d" % n), ("none", b"")] if n % 3 == 0 else []
        builder.append(
            i,
            timestamp=1_000 + n,
            key=None if n % 5 == 0 else b"k%d" % n,
            value=None if n % 7 == 0 else b"v%d" % n,
            headers=headers,
        )
    content = bytearray(builder.build())
    content[:8] = first.to_bytes(8, "big")
    if control:
        content[22] |= 0x20
        content[17:21] = calc_crc32c(bytes(content[21:])).to_bytes(4, "big")
    return bytes(content)


def stock(content: bytes, start: int, isolation: int = READ_UNCOMMITTED) -> Any:
    """Aiokafka's iterator."""
    return PartitionRecords(TP, MemoryRecords(content), [], start, None, None, True, isolation)


def plain(records: Any) -> list[tuple[Any, ...]]:
    """What everybody reads of records."""
    return [(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]


@pytest.mark.parametrize("compression", [PLAIN, LZ4])
@pytest.mark.parametrize("start", [10, 17, 29, 30, 44])
def test_the_same_records_as_aiokafka_from_any_offset(compression: int, start: int) -> None:
    """A fetch begins with the batch that holds its first offset; offsets are missing, and markers are no records."""
    content = (
        batch(10, 20, compression=compression) + batch(40, 5, compression=compression) + batch(45, 1, control=True)
    )
    theirs, ours = stock(content, start), SlimRecords(stock(content, start))

    assert plain(ours) == plain(theirs)
    assert ours.next_fetch_offset == theirs.next_fetch_offset == 46


def test_an_interrupted_iteration_goes_on_behind_the_last_record() -> None:
    """The consumer takes at most an epoch at a time, and keeps the read position."""
    ours = SlimRecords(stock(batch(0, 10) + batch(10, 10), 0))

    assert [r.offset for r in islice(iter(ours), 4)] == [0, 1, 2, 3]
    assert ours.next_fetch_offset == 4
    assert next(ours).offset == 4
    assert [r.offset for r in ours] == list(range(5, 20))
    assert ours.next_fetch_offset == 20


def test_a_damaged_batch_is_refused() -> None:
    """As aiokafka does: what comes before it is given out."""
    content = bytearray(batch(0, 3) + batch(3, 3))
    content[-1] ^= 1
    ours = SlimRecords(stock(bytes(content), 0))

    assert [next(ours).offset for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CorruptRecordException):
        next(ours)


def test_only_what_was_fetched_and_not_begun_is_replaced() -> None:
    """Errors, results read to their end and a consumer of committed records are left alone."""
    fresh, done = SimpleNamespace(_partition_records=stock(batch(0, 2), 0)), SimpleNamespace(_partition_records=None)
    committed = SimpleNamespace(_partition_records=stock(batch(0, 2), 0, READ_COMMITTED))
    fetcher: Any = SimpleNamespace(_records={1: fresh, 2: done, 3: SimpleNamespace(error="no"), 4: committed})

    slim(fetcher)
    first = fresh._partition_records
    slim(fetcher)

    assert fresh._partition_records is first  # an iteration under way is kept
    assert all(type(r) is Record for r in first)
    assert done._partition_records is None
    assert type(committed._partition_records) is PartitionRecords
