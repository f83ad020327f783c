"""A customer who asked to be forgotten: no byte of the id is left anywhere once retention and compaction have run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from embedded.broker import Broker
from embedded.clickhouse import ClickHouse
from simulated import simulated
from stream_harness import Sent, Stream, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

CANARY, DEVICE = "canary-5e1fa2c0b9", "device-of-canary-5e1fa2c0b9"
#: Days and hours of production as seconds.
BROKER = {
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "300",
    "log.segment.delete.delay.ms": "200",
    "log.initial.task.delay.ms": "500",
}
DELETED = {"retention.ms": "8000", "segment.ms": "2000", "file.delete.delay.ms": "200"}
COMPACTED = {
    "segment.ms": "1000",
    "delete.retention.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "1000",
    "file.delete.delay.ms": "200",
}


@pytest.fixture
def folder(stack_directory: Path) -> Path:
    found = stack_directory / "erasure"
    found.mkdir()
    return found


@pytest.fixture
def stream(folder: Path) -> Iterator[Stream]:
    with (
        Broker(folder / "kafka", log=folder / "kafka.log", extra=BROKER) as broker,
        ClickHouse(folder / "clickhouse", log=folder / "clickhouse.log") as clickhouse,
    ):
        migrate(ClickHouseSettings(url=clickhouse.url, database="forgetting"))
        found = Stream(broker.bootstrap, clickhouse.url, "forgetting", folder)
        yield found
        found.close()


def configure(stream: Stream, topics: list[str], config: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": stream.bootstrap})
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in config.items()
            ],
        )
        for topic in topics
    ]
    for future in admin.incremental_alter_configs(resources).values():
        future.result()


def sent(kind: str, key: str, **body: Any) -> Sent:
    return Sent(kind, key.encode(), json.dumps({"customer_id": key, **body}).encode())


def files_with(folder: Path, needle: bytes) -> list[str]:
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and needle in path.read_bytes():
                found.append(str(path.relative_to(folder)))
        except FileNotFoundError:  # deleted while we looked
            continue
    return found


def of_the_canary() -> list[Sent]:
    return [
        sent("touchpoint", DEVICE, event_id="x1", occurred_at="2026-10-01T00:00:00Z", channel="Email"),
        sent("touchpoint", CANARY, event_id="x2", occurred_at="2026-10-02T00:00:00Z", channel="Display"),
        sent("conversion", CANARY, event_id="x3", occurred_at="2026-10-03T00:00:00Z", value=9),
        sent("identity", CANARY, event_id="x4", occurred_at="2026-10-02T12:00:00Z", previous_id=DEVICE),
        sent("touchpoint", CANARY, event_id="x5", occurred_at="never"),
    ]


def test_no_byte_of_a_forgotten_customer_is_left_and_later_events_do_not_bring_it_back(
    stream: Stream, folder: Path
) -> None:
    """Broker log, RocksDB, ClickHouse directory, logs and answers; the other customers keep every row."""
    data = simulated(2_000, seed=3, customers=150)
    stream.produce([*data.sent()[:1_000], *of_the_canary(), *data.sent()[1_000:]])
    stream.start()
    stream.wait()
    assert stream.credits()["x3"][0].customer_id == CANARY
    assert files_with(folder / "kafka", CANARY.encode())
    topics = [t for t in AdminClient({"bootstrap.servers": stream.bootstrap}).list_topics().topics if stream.group in t]
    configure(stream, [t for t in topics if not t.endswith("changelog")], DELETED)
    configure(stream, [t for t in topics if t.endswith("changelog")], COMPACTED)
    client = stream.client()
    for table in ("touchpoints", "conversions", "identities", "attributions"):
        client.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1")

    stream.produce([sent("erasure", CANARY, event_id="x6", requested_at="2026-10-04T00:00:00Z", policy="delete")])
    stream.wait()
    later = {"event_id": "x7", "occurred_at": "2026-10-05T00:00:00Z"}
    stream.produce([sent("touchpoint", CANARY, **later, channel="Email"), sent("conversion", CANARY, **later, value=5)])
    stream.wait()

    assert differences(stream.credits(), data.expected()) == ""
    assert client.query("SELECT count() FROM dead_letters FINAL WHERE reason = 'erased'").result_rows == [(2,)]
    assert client.query("SELECT status, policy FROM erasure_receipts FINAL").result_rows == [("done", "delete")] * 2
    of_canary = "SELECT count() FROM credits WHERE customer_id = {customer:String}"
    assert client.query(of_canary, parameters={"customer": CANARY}).result_rows == [(0,)]
    deadline = time.monotonic() + 90
    while found := files_with(folder, CANARY.encode()):
        # new records close the old segments, a new start closes RocksDB's manifest
        filler = [sent("touchpoint", f"filler-{i}", event_id=f"f{time.time_ns()}{i}", channel="Email",
                       occurred_at="2026-10-06T00:00:00Z") for i in range(40)]  # fmt: skip  # one record a line
        stream.produce([*filler, *[sent("erasure", f"nobody-{i}", event_id=f"n{time.time_ns()}{i}",
                       requested_at="2026-10-06T00:00:00Z") for i in range(8)]])  # fmt: skip  # same
        stream.wait()
        stream.stop(0)
        stream.start()
        stream.wait()
        assert time.monotonic() < deadline, found
        time.sleep(2)
