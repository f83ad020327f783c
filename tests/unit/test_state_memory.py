"""What the stores of all partitions hold in memory has one limit, and the filters of memtables hide nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import rocksdict

from stream_app.suppression import state_key
from stream_app.tables import PartitionState, write_buffers

MIB = 1 << 20
LIMIT_MB = 16
PARTITIONS = 8


def _fill(states: list[PartitionState]) -> None:
    for round_ in range(6):
        for state in states:
            state.write({b"%d %d" % (round_, i): os.urandom(1 << 10) for i in range(1_024)}, round_)


def _in_memtables(states: list[PartitionState]) -> int:
    name = "rocksdb.cur-size-all-mem-tables"
    return sum(int(s._db.property_int_value(name) or 0) for s in states)


def test_memtables_of_many_partitions_share_one_limit(tmp_path: Path) -> None:
    """Each may hold 32 MiB; eight of them hold 48 MiB together if nobody counts. The limit is soft by its nature."""
    cache = rocksdict.Cache(8 * MIB)
    alone = [PartitionState(tmp_path / f"alone-{p}", cache) for p in range(PARTITIONS)]
    _fill(alone)
    assert _in_memtables(alone) > 2 * LIMIT_MB * MIB
    buffers = write_buffers(LIMIT_MB)
    together = [PartitionState(tmp_path / f"together-{p}", cache, buffers) for p in range(PARTITIONS)]
    _fill(together)
    deadline = time.monotonic() + 120
    while _in_memtables(together) > 2 * LIMIT_MB * MIB and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _in_memtables(together) <= 2 * LIMIT_MB * MIB
    for state in alone + together:
        state.close()


def test_what_is_in_memtables_is_found_by_key_and_by_scan(tmp_path: Path) -> None:
    """Before and after a flush, digests and tombstones included."""
    state = PartitionState(tmp_path / "a", rocksdict.Cache(8 * MIB), write_buffers(LIMIT_MB))
    expected = {b"customer %04d" % i: b"%d" % i for i in range(2_000)}
    state.write({**expected, state_key(b"d" * 16): b"1 delete"}, 1)
    state.write(dict.fromkeys(list(expected)[::7]), 2)
    expected = {key: value for i, (key, value) in enumerate(expected.items()) if i % 7}
    for _ in range(2):
        assert dict(state.items()) == expected
        assert list(state.items()) == sorted(expected.items())
        assert state.get_many(list(expected)) == list(expected.values())
        assert state.get_many([b"nobody", b"customer 0000"]) == [None, None]
        state.close()
        state = PartitionState(tmp_path / "a", rocksdict.Cache(8 * MIB), write_buffers(LIMIT_MB))
        assert state.erased == {b"d" * 16: b"1 delete"}
    state.close()
