"""The journey table: one RocksDB per partition, read and written in batches.

Next to the journeys each partition keeps one number, the changelog offset up to which it is complete;
journeys and number are written in one atomic batch. Restoring starts behind that offset.

There is no write-ahead log: the changelog is one. A crash loses what was not flushed yet, journeys and number
together, and the restore reads it again (at most a few write buffers of each partition).
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import faust
import rocksdict
from faust.stores import rocksdb as faust_rocksdb
from faust.types import TP

from stream_app.suppression import PREFIX

#: Not a customer id: none of those is written so. Holds the offset of the last changelog record applied.
OFFSET_KEY = b"__faust\0offset__"
#: No customer id either. Holds the newest format of journeys that may be here, see ``state_format``.
FORMAT_KEY = b"\0format\0"

_SIZES = ("total-sst-files-size", "cur-size-all-mem-tables")


def open_options(write_buffer_mb: int = 32) -> rocksdict.Options:
    """RocksDB options of one partition: point reads with a bloom filter, lz4, no fsync per write."""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.set_write_buffer_size(write_buffer_mb << 20)
    options.set_max_write_buffer_number(3)
    options.set_max_open_files(256)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    # most customers of an epoch are in no memtable: a filter tells without walking the skip list
    options.set_memtable_prefix_bloom_ratio(0.02)
    options.set_memtable_whole_key_filtering(whole_key_filter=True)
    return options


def write_buffers(limit_mb: int) -> rocksdict.WriteBufferManager:
    """One limit for what the memtables of all partitions hold; above it whichever partition is written to is flushed.

    Nobody waits for that flush, and partitions that are not written to keep theirs: it may be passed by half.
    """
    return rocksdict.WriteBufferManager(limit_mb << 20, allow_stall=False)


def table_options(cache: rocksdict.Cache) -> rocksdict.BlockBasedOptions:
    """Blocks of all partitions share one cache, indexes and filters included: it bounds what tables hold in memory."""
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_bloom_filter(10, block_based=False)
    blocks.set_cache_index_and_filter_blocks(v=True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(v=True)
    return blocks


class PartitionState:
    """The journeys of one partition."""

    def __init__(self, path: Path, cache: rocksdict.Cache, buffers: rocksdict.WriteBufferManager | None = None) -> None:
        self.path = path
        options = open_options()
        options.set_block_based_table_factory(table_options(cache))
        if buffers is not None:
            options.set_write_buffer_manager(buffers)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = rocksdict.Rdict(str(path), options=options)
        writes: Any = rocksdict.WriteOptions()
        writes.disable_wal = True
        self._db.set_write_options(writes)
        self.erased = self._stored_digests()  # digest -> when and how, see ``suppression``

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Journey bytes per key, None for an unknown customer."""
        return cast(list[bytes | None], self._db.get(list(keys)))

    def write(self, journeys: Mapping[bytes, bytes | None], changelog_offset: int | None) -> None:
        """Store journeys (None deletes) and the changelog offset, atomically."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in journeys.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
            if value is not None and key.startswith(PREFIX):
                self.erased[key[len(PREFIX) :]] = value
        if changelog_offset is not None:
            put(OFFSET_KEY, str(changelog_offset).encode())
        self._db.write(batch)

    def changelog_offset(self) -> int | None:
        """Offset of the last changelog record that this state holds."""
        raw = self._db.get(OFFSET_KEY)
        return None if raw is None else int(raw)

    def journey_format(self) -> int:
        """The newest format that a worker of this partition may have written; 0 before any said so."""
        raw = self._db.get(FORMAT_KEY)
        return 0 if raw is None else int(raw)

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Every journey, in key order."""
        for key, value in cast(Iterable[tuple[bytes, bytes]], self._db.items()):
            if key not in {OFFSET_KEY, FORMAT_KEY} and not key.startswith(PREFIX):
                yield key, value

    def purge(self, keys: Iterable[bytes]) -> None:
        """Rewrite the files that ever held these keys, so that what was deleted is in none of them. Blocking.

        The first and last key of a file stay in RocksDB's manifest until the partition is opened again.
        """
        self._db.flush()
        for key in keys:
            self._db.compact_range(key, key + b"\0")

    def sizes(self) -> tuple[int, int]:
        """Bytes in files and in memtables."""
        files, memory = (self._db.property_int_value(f"rocksdb.{name}") for name in _SIZES)
        return files or 0, memory or 0

    def _stored_digests(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for key, value in cast(Iterable[tuple[bytes, bytes]], self._db.items(from_key=PREFIX)):
            if not key.startswith(PREFIX):
                break
            found[key[len(PREFIX) :]] = value
        return found

    def close(self) -> None:
        """Flush, and release the files for another owner."""
        self._db.close()


class JourneyStore(faust_rocksdb.Store):
    """Faust's view of the partitions: it opens them on assignment and closes them on revocation."""

    offset_key = OFFSET_KEY
    _dbs: dict[int, PartitionState]

    def share(self, cache: rocksdict.Cache, buffers: rocksdict.WriteBufferManager) -> None:
        """One block cache and one limit of memtables for all partitions."""
        self._cache, self._buffers = cache, buffers

    def partition(self, partition: int) -> PartitionState:
        """State of an assigned partition."""
        state: PartitionState = self._db_for_partition(partition)
        return state

    def opened(self) -> list[tuple[int, PartitionState]]:
        """Partitions that are open now."""
        return list(self._dbs.items())

    def wipe(self, partition: int) -> PartitionState:
        """Delete the files of a partition and open it empty."""
        state = self._dbs.pop(partition, None)
        if state is not None:
            state.close()
        shutil.rmtree(self.partition_path(partition), ignore_errors=True)
        return self.partition(partition)

    def persisted_offset(self, tp: TP) -> int | None:
        """Faust's name for the changelog offset."""
        return self.partition(tp.partition).changelog_offset()

    def revoke_partitions(self, table: Any, tps: set[TP]) -> None:
        """Close what another worker may open now."""
        for tp in tps:
            if tp.topic in table.changelog_topic.topics and (state := self._dbs.pop(tp.partition, None)):
                state.close()

    async def stop(self) -> None:
        """Close every partition."""
        while self._dbs:
            self._dbs.popitem()[1].close()

    def _open_for_partition(self, partition: int) -> PartitionState:
        return PartitionState(self.partition_path(partition), self._cache, self._buffers)


class JourneyTable(faust.Table[bytes, bytes]):
    """Names the changelog and takes part in Faust's assignment; the pipeline uses ``data`` directly."""

    def __init__(self, *args: Any, cache_mb: int = 256, write_mb: int = 256, **kwargs: Any) -> None:
        self._cache, self._buffers = rocksdict.Cache(cache_mb << 20), write_buffers(write_mb)
        super().__init__(*args, **kwargs)

    def partition(self, partition: int) -> PartitionState:
        """State of an assigned partition."""
        return cast(JourneyStore, self.data).partition(partition)

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Bytes in files and in memory of the partitions that are open; from any thread, nothing before the start.

        ``data`` would make the store, and tie this table to an event loop of the caller's thread that nobody runs.
        """
        found: dict[int, tuple[int, int]] = {}
        if self._data is None:
            return found
        for partition, state in list(cast(JourneyStore, self._data).opened()):
            with contextlib.suppress(rocksdict.DbClosedError):
                found[partition] = state.sizes()
        return found

    def wipe(self, partition: int) -> PartitionState:
        """Lose the state of a partition and begin empty."""
        return cast(JourneyStore, self.data).wipe(partition)

    def _new_store_by_url(self, url: Any) -> JourneyStore:  # noqa: ARG002  # there is one kind of store
        store = JourneyStore(
            "rocksdb://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_type=self.value_type,
            value_serializer=self.value_serializer,
            loop=self.loop,
            options={"driver": "rocksdict"},
        )
        store.share(self._cache, self._buffers)
        return store
