"""Journey state on real parts: the fence stops a former owner, and a restore gives what was committed, no more."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import rocksdict
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from stream_app.changelog import FencedError, PartitionLog, StaleStateError, restore
from stream_app.state import DurableState
from stream_app.tables import PartitionState

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka_bootstrap: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:10]}-journeys-changelog"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(name, 1, 1, config={"cleanup.policy": "compact"})])[name].result()
    yield name
    admin.delete_topics([name])[name].result()


def state(folder: Path) -> PartitionState:
    return PartitionState(folder, rocksdict.Cache(8 << 20))


def owner(bootstrap: str, topic: str) -> PartitionLog:
    log = PartitionLog(bootstrap, topic, 0, f"{topic}-0")
    log.acquire()
    return log


def restored(bootstrap: str, topic: str, local: PartitionState) -> dict[bytes, bytes]:
    restore(bootstrap, topic, 0, after=local.changelog_offset(), apply=local.write, is_cancelled=lambda: False)
    return dict(local.items())


def test_a_wiped_directory_is_restored_to_the_same_journeys(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    """Last value per key; a tombstone deletes."""
    local = state(tmp_path / "a")
    durable = DurableState(owner(kafka_bootstrap, topic), local)
    durable.write({b"ada": b"1", b"bob": b"1", b"eve": b"1"})
    durable.write({b"ada": b"2", b"eve": None})

    assert durable.get_many([b"ada", b"eve", b"nobody"]) == [b"2", None, None]
    assert restored(kafka_bootstrap, topic, state(tmp_path / "b")) == {b"ada": b"2", b"bob": b"1"}


def test_a_zombie_cannot_write_once_another_owner_has_the_partition(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    """The former owner is refused, its store stays behind the changelog, and nobody ever reads what it tried."""
    old = DurableState(owner(kafka_bootstrap, topic), state(tmp_path / "old"))
    old.write({b"ada": b"old"})
    new = DurableState(owner(kafka_bootstrap, topic), state(tmp_path / "new"))
    new.write({b"ada": b"new"})
    with pytest.raises(FencedError, match="another worker"):
        old.write({b"ada": b"zombie"})

    assert old.get_many([b"ada"]) == [b"old"]
    assert restored(kafka_bootstrap, topic, state(tmp_path / "third")) == {b"ada": b"new"}


def test_a_store_ahead_of_its_changelog_is_told_as_stale(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    """The topic was created anew: the caller wipes and begins again."""
    local = state(tmp_path / "a")
    local.write({b"ada": b"1"}, 10_000)
    with pytest.raises(StaleStateError, match="10000"):
        restored(kafka_bootstrap, topic, local)


def test_a_state_that_was_away_longer_than_tombstones_are_kept_is_told_as_stale(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    """It may have missed a tombstone; one that has missed nothing, or only what is still kept, goes on."""
    local, log = state(tmp_path / "a"), owner(kafka_bootstrap, topic)
    durable = DurableState(log, local)
    durable.write({b"ada": b"1", b"eve": b"1"})
    after = local.changelog_offset()

    def restore_since(ms: int) -> int:
        return restore(
            kafka_bootstrap, topic, 0, after=after, apply=lambda *_: None, is_cancelled=lambda: False,
            all_kept_since_ms=ms,
        )  # fmt: skip

    in_an_hour = time.time_ns() // 1_000_000 + 3_600_000
    assert restore_since(in_an_hour) == 0
    log.write({b"eve": None})
    assert restore_since(0) == 1
    with pytest.raises(StaleStateError, match="tombstones"):
        restore_since(in_an_hour)


def test_a_restore_reads_each_record_once_across_a_stop_and_writes_in_bulk(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    """Stopped in the middle and begun again from what the store says: no record twice, none left out, few writes."""
    log, transactions = owner(kafka_bootstrap, topic), 30
    for i in range(transactions):
        log.write({f"c{(i * 1_000 + j) % 7_000}".encode(): f"{i}-{j}".encode() for j in range(1_000)})
    writes: list[int] = []
    ends: list[tuple[int, int]] = []

    def pass_of(folder: Path, most: int) -> int:
        local = state(folder)

        def write(journeys: Mapping[bytes, bytes | None], offset: int) -> None:
            writes.append(len(journeys))
            local.write(journeys, offset)

        read = restore(
            kafka_bootstrap, topic, 0, after=local.changelog_offset(), apply=write,
            is_cancelled=lambda: len(writes) >= most, bounds=lambda begin, end: ends.append((begin, end)),
        )  # fmt: skip
        local.close()
        return read

    first = pass_of(tmp_path / "a", 1)
    rest = pass_of(tmp_path / "a", 10_000)

    assert 0 < first < transactions * 1_000
    assert first + rest == transactions * 1_000
    assert sum(writes) <= first + rest
    assert len(writes) < transactions
    assert ends[0][0] == 0
    assert ends[1] == (ends[1][0], ends[0][1])
    whole = restored(kafka_bootstrap, topic, state(tmp_path / "b"))
    assert dict(state(tmp_path / "a").items()) == whole
    assert len(whole) == 7_000
