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

from stream_app import restoring
from stream_app.changelog import FencedError, PartitionLog
from stream_app.restoring import StaleStateError, restore
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


class KilledError(RuntimeError):
    """The process ends here."""


def test_a_restore_reads_every_record_once_and_writes_once_per_chunk(
    kafka_bootstrap: str, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended in the middle of a chunk, it goes on behind the last one that was stored; offsets never go back."""
    monkeypatch.setattr(restoring, "CHUNK_RECORDS", 1_000)
    monkeypatch.setattr(restoring, "_TAKE_RECORDS", 300)
    log = owner(kafka_bootstrap, topic)
    for epoch in range(10):
        log.write({b"c%d" % customer: b"%d" % epoch for customer in range(500)})
    local = state(tmp_path / "a")
    writes: list[tuple[int, int]] = []
    spans: list[tuple[int, int]] = []

    def store(journeys: Mapping[bytes, bytes | None], offset: int) -> None:
        if len(writes) == 2:
            writes.append((0, -1))
            raise KilledError
        local.write(journeys, offset)
        writes.append((len(journeys), offset))

    def run() -> int:
        return restore(
            kafka_bootstrap, topic, 0, after=local.changelog_offset(), apply=store, is_cancelled=lambda: False,
            on_begin=lambda first, end: spans.append((first, end)),
        )  # fmt: skip

    with pytest.raises(KilledError):
        run()
    stored = [offset for _, offset in writes[:2]]
    before = stored[-1] + 1 - (stored[-1] + 1) // 501  # a marker ends every transaction
    assert local.changelog_offset() == stored[-1]
    assert run() == 5_000 - before
    assert spans == [(0, 5_010), (stored[-1] + 1, 5_010)]
    offsets = [offset for _, offset in writes if offset >= 0]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] == 5_008
    assert len(offsets) <= 6
    assert all(count <= 500 for count, _ in writes)  # of a key only the last value of a chunk is written
    assert dict(local.items()) == {b"c%d" % customer: b"9" for customer in range(500)}


def test_a_cancelled_restore_stores_nothing_more(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    """The partition may have another owner by then."""
    owner(kafka_bootstrap, topic).write({b"ada": b"1"})
    local = state(tmp_path / "a")
    assert restore(kafka_bootstrap, topic, 0, after=None, apply=local.write, is_cancelled=lambda: True) == 0
    assert local.changelog_offset() is None
