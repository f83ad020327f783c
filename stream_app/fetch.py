"""What comes out of a fetch: slim records, unpacked per batch instead of through aiokafka's object per record.

aiokafka makes a dataclass of eleven fields of every record, in Python, at twice the cost of reading the record. Here
the same batches give a struct of the seven fields that anybody reads. Offsets, checksums, control batches and
read positions are treated as aiokafka treats them; it still fetches, buffers and keeps the positions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, PartitionRecords
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

#: How long the broker may hold a fetch for which it has nothing. Requests to one broker are answered in turn, and a
#: partition that was read while a fetch is held back is not asked for before the next one: both wait so long at most.
FETCH_WAIT_MS: Final = 50


class Record(msgspec.Struct, gc=False):
    """One record as the broker hands it over; see ``schemas.records.RawRecord``. ``timestamp`` is in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class SlimRecords:
    """Takes the place of aiokafka's ``PartitionRecords``: an iterator that can be left and taken up again.

    ``next_fetch_offset`` is the read position behind the last record given out.
    """

    def __init__(self, stock: Any) -> None:
        self.next_fetch_offset: int = stock.next_fetch_offset
        self._iterator = self._unpacked(stock._tp, stock._records, stock._check_crcs)  # noqa: SLF001  # its place is taken

    def __iter__(self) -> Iterator[Record]:
        return self._iterator

    def __next__(self) -> Record:
        return next(self._iterator)

    def _unpacked(self, tp: Any, batches: Any, check_crcs: bool) -> Iterator[Record]:
        topic, partition = tp.topic, tp.partition
        while batches.has_next():
            batch = batches.next_batch()
            if check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {tp}")
            if not batch.is_control_batch:
                for r in batch:
                    offset = r.offset
                    if offset < self.next_fetch_offset:
                        continue  # a fetch begins at the batch that holds its first offset
                    headers = r.headers
                    self.next_fetch_offset = offset + 1
                    yield Record(
                        topic, partition, offset, r.timestamp, r.key, r.value, tuple(headers) if headers else ()
                    )
            self.next_fetch_offset = batch.next_offset


def slim(fetcher: Fetcher) -> None:
    """Everything that was fetched and not looked at yet will come out as ``Record``."""
    for result in fetcher._records.values():  # noqa: SLF001  # no public way
        stock: Any = getattr(result, "_partition_records", None)  # None: an error, or read to its end
        if type(stock) is PartitionRecords and stock._isolation_level != READ_COMMITTED:  # noqa: SLF001
            result._partition_records = SlimRecords(stock)  # noqa: SLF001


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with slim records and short waits at the broker."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001  # faust has no setting for it
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # faust's signature
        max_records: int | None = None,
    ) -> Any:
        deadline = time.monotonic() + (timeout or 0.0)
        fetcher = consumer._fetcher  # noqa: SLF001  # as faust does
        while self.consumer.flow_active:
            if consumer._closed or fetcher._closed:  # noqa: SLF001  # as faust does
                raise ConsumerStoppedError
            with fetcher._subscriptions.fetch_context():  # noqa: SLF001  # as faust does
                slim(fetcher)
                records = await fetcher.fetched_records(active_partitions, timeout=0, max_records=max_records)
                left = deadline - time.monotonic()
                if records or left <= 0:
                    return records
                arrival = fetcher._create_fetch_waiter()  # noqa: SLF001  # what fetched_records waits for
                await asyncio.wait([arrival], timeout=left)
                if not arrival.done():
                    arrival.cancel()
                    return {}
                arrival.result()  # raises what the fetch has met, a missing permission for instance
        return {}
