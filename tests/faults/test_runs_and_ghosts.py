"""Faults 10 and 11: a directory comes back after its tombstones are gone, and a full replay beside a live run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from embedded.broker import Broker
from fault_ledger import Ledger
from fault_observer import Observer, event_ids
from fault_oracle import expected_rows
from fault_report import Result
from fault_run import CONFIG, FaultRun, MakeRun, population
from invariants import lag_is_zero, no_key_twice, stores_agree, sums_are_exact
from invariants import rows_equal_the_batch as equal_the_batch
from stream_app.changelog import PartitionLog

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.faults, pytest.mark.timeout(300)]

#: A changelog that compacts and forgets its tombstones within seconds.
FORGETFUL = {
    "cleanup.policy": "compact",
    "segment.ms": "300",
    "delete.retention.ms": "1000",
    "min.cleanable.dirty.ratio": "0.001",
    "max.message.bytes": "1300000",
}


@pytest.fixture
def broker(stack_directory: Path, tmp_path: Path) -> Iterator[Broker]:
    """One whose log cleaner does not sleep for long."""
    with Broker(stack_directory / f"kafka-{tmp_path.name}", log=tmp_path / "kafka.log") as found:
        admin = AdminClient({"bootstrap.servers": found.bootstrap})
        entry = ConfigEntry("log.cleaner.backoff.ms", "100", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result()
        yield found


def is_in_changelog(run: FaultRun, key: bytes) -> bool:
    """Whether any record of a key is left, tombstones included."""
    fresh = Observer(run.stream)
    fresh.read_changelog()
    fresh.close()
    return key in fresh._changed


def test_a_stale_directory_does_not_bring_deleted_keys_back(broker: Broker, make_run: MakeRun) -> None:
    """Another owner deletes a journey, compaction drops even the tombstone, then the old directory returns."""
    run: FaultRun = make_run(10, "stale directory", 91, bootstrap=broker.bootstrap)
    changelog = f"{run.stream.group}-journeys-changelog"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(changelog, run.stream.partitions, 1, config=FORGETFUL)])[changelog].result()
    records = population(3_000, 91)
    run.send(records[:2_000])
    run.finish()
    before = run.observer.stored((0,))
    partition = 0
    here = {a.record.key for a in run.ledger.acked if a.partition == partition and a.record.kind == "touchpoint"}
    ghost, other, *_ = sorted(here & before.keys())

    log = PartitionLog(broker.bootstrap, changelog, partition, f"{run.stream.group}-{partition}")
    log.acquire()
    log.write({ghost: None})
    deadline = time.monotonic() + 60
    while is_in_changelog(run, ghost):
        assert time.monotonic() < deadline, "compaction did not drop the tombstone"
        time.sleep(0.4)
        log.write({other: before[other]})
    log.close()
    run.count("tombstones compacted away")
    run.send(records[2_000:])
    run.finish()
    old = {a.record.event.event_id for a in run.ledger.acked[:2_000] if a.record.event is not None}
    stored = run.observer.stored((0,))

    assert not (event_ids(stored[ghost]) & old if ghost in stored else set()), "a deleted journey is back"
    run.result.violations = {
        "I3": no_key_twice(run.observer.rows()),
        "I4": sums_are_exact(run.observer.rows()),
        "I6": stores_agree(without(run.ledger, ghost.decode(), old), run.observer, (0,)),
        "I9": lag_is_zero(run.observer),
    }
    run.result.write()
    assert run.result.broken == [], run.result.violations


def without(ledger: Ledger, customer: str, ids: set[str]) -> Ledger:
    """The ledger as if some events of a customer had never been sent."""
    kept = []
    for entry in ledger.acked:
        event = entry.record.event
        is_gone = getattr(event, "customer_id", "") == customer and event is not None and event.event_id in ids
        if not is_gone:
            kept.append(entry)
    return Ledger(kept)


@pytest.mark.parametrize("seed", [95, 96])
def test_a_replay_into_a_new_run_equals_the_live_run_and_leaves_it_alone(make_run: MakeRun, seed: int) -> None:
    """A second group reads everything from offset 0 into run 2 while run 1 goes on."""
    run: FaultRun = make_run(11, "replay while live", seed)
    records = population(8_000, seed)
    group = f"{run.stream.group}-r2"
    beside = Observer(run.stream, group=group, run_id=2)
    run.send(records[:4_000])
    run.start(0)
    run.wait_in_flight(below=3_500)
    run.start(1, env={"ATTRIBUTION_GROUP_ID": group, "ATTRIBUTION_RUN_ID": "2"})
    run.send(records[4_000:])
    run.drain()
    run.watch.sample()
    deadline = time.monotonic() + 120
    while lag_is_zero(beside):
        assert time.monotonic() < deadline, run.stream.log_tail()
        time.sleep(0.2)
    run.finish()
    run.count("replays beside a live run")
    live = run.judge()
    replayed = Result(11, "the replayed run", seed)
    rows = beside.rows()
    replayed.violations = {
        "I2": equal_the_batch(rows, expected_rows(run.ledger, CONFIG)),
        "I3": no_key_twice(rows),
        "I4": sums_are_exact(rows),
        "I6": stores_agree(run.ledger, beside, (1,)),
        "I9": lag_is_zero(beside),
    }
    replayed.write()
    beside.close()

    assert live.broken == [], live.violations
    assert replayed.broken == [], replayed.violations
    assert sorted(rows) == sorted(run.observer.rows())
