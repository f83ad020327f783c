"""An upgrade: state of an older format is taken over while events flow; state of a newer one is refused."""

from __future__ import annotations

import base64
import json
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from attribution.journey import Journey
from attribution.journey_bytes import FORMAT_VERSION
from loadgen.records import Record
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas, Rejected
from schemas.events import ConversionWireEvent
from simulated import Input
from stream_app.exits import NEWER_STATE
from stream_app.positions import Position, set_positions
from stream_app.tables import FORMAT_KEY
from stream_app.topics import CHANGELOG_CONFIG
from stream_harness import Sent, Stream, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

FIXTURE = Path(__file__).parents[1] / "fixtures" / "state_format_2"
#: Behind every event of the fixture.
LATER_US = 1_788_220_800_000_000 + 30 * 86_400_000_000
HOUR_US = 3_600_000_000


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def old_events() -> list[Sent]:
    """What the older version had read."""
    lines = [json.loads(line) for line in (FIXTURE / "events.jsonl").read_text().splitlines()]
    return [Sent(kind, key.encode(), value.encode()) for kind, key, value in lines]


def new_events(old: Sequence[Sent]) -> list[Sent]:
    """For every customer a touch and an order, for old orders refunds, and late touches; two customers become one."""
    found: list[Sent] = []

    def add(kind: str, customer: str, at_us: int, **body: Any) -> None:
        body = {"event_id": f"n{len(found)}", "customer_id": customer, "occurred_at": at_us} | body
        found.append(Sent(kind, customer.encode(), json.dumps(body).encode()))

    orders = [json.loads(s.value) for s in old if s.kind == "conversion" and b"adjusts" not in s.value]
    for number in range(50):
        add("touchpoint", f"c{number}", LATER_US + number, channel="SMS")
        add(
            "conversion",
            f"c{number}",
            LATER_US + HOUR_US + number,
            order_id=f"n{number}",
            value=number + 1,
            currency="EUR",
        )
    for number, order in enumerate(orders[::7]):
        at_us, customer = order["occurred_at"], order["customer_id"]
        add("conversion", customer, at_us + HOUR_US, adjusts=order["event_id"], status="refunded", value="0.01")
        add("touchpoint", customer, at_us - HOUR_US - number, channel="Late")
    add("identity", "c1", LATER_US + 2 * HOUR_US, previous_id="c2")
    add("conversion", "c2", LATER_US + 3 * HOUR_US, order_id="merged", value=9, currency="EUR")
    return found


def decoded(sent: Sequence[Sent]) -> Input:
    """As the batch reference takes them."""
    rules, found = load_channel_rules(), []
    for kind, key, value, _ in sent:
        named: Any = kind
        raw: Any = type("Raw", (), {"key": key, "value": value, "headers": (), "offset": 0, "timestamp": -1})()
        event: Any = Codec(named, channel_rules=rules, schemas=LocalSchemas()).decode(raw)
        assert not isinstance(event, Rejected), event
        found.append(Record(named, "", key or b"", value, False, None, event))
    return Input(found)


def write_changelog(stream: Stream, records: Sequence[tuple[int, bytes, bytes | None]]) -> None:
    """As a former worker of the group left it."""
    name = f"{stream.group}-journeys-changelog"
    admin = AdminClient({"bootstrap.servers": stream.bootstrap})
    admin.create_topics([NewTopic(name, stream.partitions, 1, config=CHANGELOG_CONFIG)])[name].result()
    producer = Producer({"bootstrap.servers": stream.bootstrap})
    for partition, key, value in records:
        producer.produce(name, value, key, partition=partition)
    assert producer.flush(30) == 0


def take_over(stream: Stream) -> None:
    """Changelog, positions and the directory of one worker, as the older version left them."""
    lines = [json.loads(line) for line in (FIXTURE / "changelog.jsonl").read_text().splitlines()]
    records = [
        (p, base64.b64decode(key), None if value is None else base64.b64decode(value)) for p, key, value in lines
    ]
    assert {value[0] for _, _, value in records if value} == {2}
    write_changelog(stream, records)
    with tarfile.open(FIXTURE / "state.tar.gz") as tar:
        tar.extractall(stream.folder, filter="data")
    (stream.folder / "state").rename(stream.data_dir(0))


def wait_ready(stream: Stream) -> None:
    """As an orchestrator does before it restarts the next one."""
    deadline = time.monotonic() + 90
    while not all(stream.is_ready(index) for index in stream.workers):
        assert time.monotonic() < deadline, stream.log_tail()
        time.sleep(0.1)


def at_end(stream: Stream) -> list[Position]:
    """Everything that is in the topics has been read."""
    there = [place for place in stream.sources() if place.topic in stream.topics.values()]
    return [Position(place.topic, place.partition, stream.end(place)) for place in there]


def test_two_workers_take_over_the_state_of_an_older_format_one_after_the_other(stream: Stream) -> None:
    """One has the older directory, one nothing but the changelog; each is restarted while events flow."""
    old = old_events()
    new = new_events(old)
    wanted = decoded([*old, *new]).expected()
    stream.produce(old)
    take_over(stream)
    read = at_end(stream)
    assert set_positions(stream.bootstrap, stream.group, read) == []

    steps: tuple[tuple[Callable[[int], object], int], ...] = (
        (stream.start, 0),
        (stream.start, 1),
        (stream.stop, 0),
        (stream.start, 0),
    )
    for at, (step, index) in enumerate(steps):
        step(index)
        stream.produce(new[at::4])
        wait_ready(stream)
    stream.wait()
    assert stream.stop(1) == 0

    found = stream.credits()
    assert {c: rows for c, rows in found.items() if rows != wanted[c]} == {}
    late = {
        e.event.order_id for e in decoded(new).records if isinstance(e.event, ConversionWireEvent) and e.event.order_id
    }
    assert {key.removeprefix("purchase:") for key in found} >= late
    assert len(found) < len(wanted)
    assert any(row.touchpoint_id.startswith("e") for row in found["purchase:n7"])

    assert stream.stop(0) == 0
    set_positions(stream.bootstrap, stream.group, [place._replace(offset=0) for place in read])
    stream.start(0)
    stream.wait()
    assert differences(stream.credits(), wanted) == ""
    assert stream.stop(0) == 0
    assert {state.journey_format() for state in stream.states(0)} == {FORMAT_VERSION}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (FORMAT_KEY, str(FORMAT_VERSION + 1).encode(), "docs/upgrade.md"),
        (b"c7", bytes([FORMAT_VERSION + 1]) + Journey().to_bytes()[1:], "run the version that wrote them"),
    ],
    ids=["a newer worker was here", "a journey of a newer format"],
)
def test_a_state_of_a_newer_format_is_refused(stream: Stream, key: bytes, value: bytes, said: str) -> None:
    """With a code of its own and a sentence, no traceback; nothing is committed."""
    write_changelog(stream, [(p, key, value) for p in range(stream.partitions)])
    stream.produce(
        [Sent("touchpoint", b"c7", b'{"event_id":"t","customer_id":"c7","occurred_at":"2026-09-01","channel":"x"}')]
    )
    worker = stream.start(0)
    assert worker.wait(60) == NEWER_STATE
    stream.workers.pop(0)
    log = (stream.folder / "worker-0.log").read_text()
    assert said in log
    assert "Traceback" not in log
    assert stream.lag() == 1
    assert stream.credits() == {}
