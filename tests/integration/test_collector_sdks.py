"""Messages of the real SDKs (Segment for Python and node, RudderStack) and GA4 payloads end as the right credits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from confluent_kafka import Consumer, TopicPartition

from accounts.accounts import Accounts
from accounts.roles import Role
from accounts.settings import AccountsSettings
from api.app import create_app
from api.producer import KafkaProducer, OutRecord
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryStore
from attribution.identity import Link
from attribution.types import ConversionEvent, Touch
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from collector_story import Event, Story, story
from node_packages import installed
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from schemas.events import ConversionWireEvent, IdentityEvent, TouchpointEvent
from schemas.topics import topic_of
from stream_app.dead_letter_topic import DeadLetterReader, Letter
from stream_harness import Credit, Stream, batch_credits, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
NODE = Path(__file__).parents[1] / "sdk_node"
KINDS = ("touchpoint", "conversion", "identity")


class ToStream:
    """Kafka, with the topics of one test under the names of the service."""

    def __init__(self, stream: Stream) -> None:
        self._inner = KafkaProducer(stream.bootstrap, timeout_s=20)
        self._names = {topic_of(kind).topic: stream.topics[kind] for kind in (*KINDS, "dead_letter")}  # type: ignore[arg-type]

    def write(self, records: Sequence[OutRecord]) -> dict[int, str]:
        return self._inner.write([record._replace(topic=self._names[record.topic]) for record in records])

    def close(self) -> None:
        self._inner.close()


@dataclass
class Served:
    """The API at an address, a write key of it, and the stream behind."""

    url: str
    key: str
    stream: Stream


@pytest.fixture(scope="module")
def database(clickhouse_url: str) -> Iterator[str]:
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    migrate(settings)
    yield settings.database
    client = connect(settings, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()


@pytest.fixture(scope="module")
def served(
    kafka_bootstrap: str, clickhouse_url: str, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    stream = Stream(kafka_bootstrap, clickhouse_url, database, tmp_path_factory.mktemp("stream"))
    accounts = Accounts(AccountsSettings(dir=tmp_path_factory.mktemp("accounts")))
    _, key = accounts.keys.create(role=Role.INGESTOR, workspace="default", now=datetime.now(UTC))
    app = create_app(
        ApiSettings(insecure_dev=False, allowed_hosts=("127.0.0.1",)),
        store=MemoryStore(),
        offsets=MemoryOffsets(),
        producer=ToStream(stream),
        accounts=accounts,
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", key, stream)
    server.should_exit = True
    thread.join(30)
    stream.close()


def by_segment(served: Served, messages: Sequence[dict[str, Any]]) -> None:
    from segment.analytics.client import Client  # noqa: PLC0415 - each SDK only where it sends

    _by_python(Client, served, messages, gzip=False)


def by_rudderstack(served: Served, messages: Sequence[dict[str, Any]]) -> None:
    from rudderstack.analytics.client import Client  # noqa: PLC0415 - same

    _by_python(Client, served, messages, gzip=True)


def _by_python(make: Any, served: Served, messages: Sequence[dict[str, Any]], *, gzip: bool) -> None:
    """Both have the same calls; one batch, so that the broken message shares it with the others."""
    failed: list[object] = []
    client = make(
        served.key,
        host=served.url,
        gzip=gzip,
        max_retries=0,
        upload_interval=1,
        upload_size=len(messages),
        on_error=lambda error, _: failed.append(error),
    )
    names = {"userId": "user_id", "anonymousId": "anonymous_id", "previousId": "previous_id", "groupId": "group_id",
             "messageId": "message_id"}  # fmt: skip
    for message in messages:
        given = {names.get(name, name): value for name, value in message.items() if name != "type"}
        given["timestamp"] = datetime.fromisoformat(given["timestamp"])
        is_taken, _ = getattr(client, message["type"])(**json_copy(given))
        assert is_taken
    client.shutdown()
    assert failed == []


def json_copy(given: dict[str, Any]) -> dict[str, Any]:
    """SDKs write into what they are given."""
    return {name: json.loads(json.dumps(v)) if isinstance(v, dict) else v for name, v in given.items()}


def by_node(served: Served, messages: Sequence[dict[str, Any]]) -> None:
    assert shutil.which("node"), "the test of Segment's node SDK needs node 20 or newer and npm"
    done = subprocess.run(
        ["node", str(NODE / "send.mjs")],
        input=json.dumps(messages),
        env=os.environ | {"SDK_HOME": str(installed(NODE)), "HOST": served.url, "WRITE_KEY": served.key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


SDKS: dict[str, Callable[[Served, Sequence[dict[str, Any]]], None]] = {
    "segment": by_segment,
    "rudderstack": by_rudderstack,
    "node": by_node,
}


def decoded(stream: Stream) -> dict[str, Event]:
    """Every event of the topics by its id, as the worker decodes it."""
    found: dict[str, Event] = {}
    rules = load_channel_rules()
    reader = Consumer({"bootstrap.servers": stream.bootstrap, "group.id": f"{stream.group}-look"})
    for kind in KINDS:
        codec = Codec(kind, channel_rules=rules, schemas=LocalSchemas())  # type: ignore[arg-type]
        parts = [TopicPartition(stream.topics[kind], p, 0) for p in range(stream.partitions)]
        left = sum(reader.get_watermark_offsets(part, timeout=10)[1] for part in parts)
        reader.assign(parts)
        while left:
            for message in reader.consume(500, timeout=5):
                event = codec.decode(Raw(message))
                assert isinstance(event, TouchpointEvent | ConversionWireEvent | IdentityEvent), event
                known = found.get(event.event_id)
                if known is None or event.occurred_at_us < known.occurred_at_us:  # of versions the smallest counts
                    found[event.event_id] = event
                left -= 1
    reader.close()
    return found


class Raw:
    """A record as the worker gets it."""

    def __init__(self, message: Any) -> None:
        self.topic, self.partition, self.offset = message.topic(), message.partition(), message.offset()
        self.key, self.value, self.headers = message.key(), message.value(), message.headers() or []
        self.timestamp = message.timestamp()[1]


@dataclass
class Outcome:
    """What came of all stories, sent by all SDKs before the worker began."""

    now: datetime
    stories: dict[str, Story]
    events: dict[str, Event]
    credits: dict[str, list[Credit]]
    letters: list[Letter]

    def of(self, who: str) -> dict[str, list[Credit]]:
        """Credits of one story."""
        return {name: rows for name, rows in self.credits.items() if rows[0].customer_id.startswith(f"{who}-")}


@pytest.fixture(scope="module")
def outcome(served: Served) -> Outcome:
    now = datetime.now(UTC).replace(microsecond=0)
    stories = {name: story(name, now) for name in SDKS}
    for name, send in SDKS.items():
        send(served, stories[name].messages)
    by_segment(served, stories["segment"].messages)  # once more: nothing counts twice
    by_measurement_protocol(served, now)
    stream = served.stream
    stream.start()
    stream.wait()
    code = stream.stop(0)
    assert code == 0, stream.log_tail()
    letters = [
        item
        for item in DeadLetterReader(stream.bootstrap, stream.topics["dead_letter"]).read()
        if isinstance(item, Letter)
    ]
    return Outcome(now, stories, decoded(stream), stream.credits(), letters)


def test_a_wrong_key_is_an_error_that_the_sdks_understand_and_do_not_try_again(served: Served) -> None:
    import rudderstack.analytics.client  # noqa: PLC0415 - as above
    import rudderstack.analytics.request  # noqa: PLC0415
    import segment.analytics.client  # noqa: PLC0415
    import segment.analytics.request  # noqa: PLC0415

    for sdk in (segment.analytics, rudderstack.analytics):
        client = sdk.client.Client("wrong.key", host=served.url, sync_mode=True)
        with pytest.raises(sdk.request.APIError) as refused:
            client.track("ada", "Order Completed")
        assert (refused.value.status, refused.value.code) == (401, "not-signed-in")
        assert "wrong" in refused.value.message


@pytest.mark.parametrize("sdk", SDKS)
def test_what_an_sdk_sends_is_what_is_in_the_topics(outcome: Outcome, sdk: str) -> None:
    told = outcome.stories[sdk]
    for event_id, customer_id, at, says in (*told.touches, *told.conversions):
        event = outcome.events[event_id]
        assert event.customer_id == customer_id
        late = datetime.fromtimestamp(event.occurred_at_us / 1e6, UTC) - at
        assert timedelta(0) <= late < timedelta(seconds=30)  # the clocks agree: only the way to us is added
        if isinstance(event, TouchpointEvent):
            assert (event.channel, event.campaign or "") == says
        elif isinstance(event, ConversionWireEvent):
            value = (event.conversion_type, event.order_id, event.value_micros, event.currency, event.status)
            assert (*value, event.adjusts or "") == says
    assert {name for name in outcome.events if name.startswith(f"{sdk}-") and name not in told.refused} == {
        *(t.event_id for t in (*told.touches, *told.conversions)),
        f"{sdk}-4",  # the alias
    }


@pytest.mark.parametrize("sdk", SDKS)
def test_credits_of_an_sdk_are_those_of_the_batch_to_the_micro(outcome: Outcome, sdk: str) -> None:
    want = outcome.stories[sdk].credits(outcome.events)
    got = outcome.of(sdk)
    assert differences(got, want) == ""
    linear = [(c.touchpoint_id, c.value_micros) for c in got[f"purchase:{sdk}-o"] if c.model == "linear"]
    # 100.01 - 33.333334 over the four touches of the device, the former id and the customer
    assert linear == [
        (f"{sdk}-1", 16_669_167),
        (f"{sdk}-2", 16_669_167),
        (f"{sdk}-5", 16_669_166),
        (f"{sdk}-8", 16_669_166),
    ]


def test_a_broken_message_is_a_dead_letter_and_costs_the_batch_nothing(outcome: Outcome) -> None:
    refused = {
        (json.loads(letter.value or b"{}").get("messageId"), letter.summary()["reason"], letter.origin)
        for letter in outcome.letters
        if b"messageId" in (letter.value or b"")
    }
    assert {(name, reason) for name, reason, _ in refused} == {
        refusal for told in outcome.stories.values() for refusal in told.refused.items()
    }
    assert len(refused) == len(SDKS)  # the one that was sent twice is one letter
    assert all(dict(letter.headers)["dlq.stage"] == b"collect" for letter in outcome.letters)


def by_measurement_protocol(served: Served, now: datetime) -> None:
    """A visit of a device in milliseconds, then the same device signed in: order, partial refund, lead."""
    query = {"measurement_id": "G-1", "api_secret": served.key}
    visit = {
        "client_id": "ga4-device",
        "timestamp_micros": millis(now - timedelta(days=9)),
        "events": [
            {"name": "page_view", "params": {"page_location": "https://shop.example/?gclid=x&utm_campaign=fall"}}
        ],
    }
    lines = {"transaction_id": "ga4-o", "currency": "EUR"}
    bought = {
        "client_id": "ga4-device",
        "user_id": "ga4-ada",
        "timestamp_micros": millis(now - timedelta(days=5)) * 1000,
        "events": [
            {"name": "purchase", "params": {"value": 100.01, **lines}},
            {"name": "purchase", "params": {"value": 7, **lines}, "timestamp_micros": 1},
            {
                "name": "refund",
                "params": {"value": "33.333334", **lines},
                "timestamp_micros": str(millis(now - timedelta(days=4)) * 1000),
            },
            {"name": "generate_lead", "params": {"value": 5, "currency": "EUR"}},
            {"name": "scroll", "params": {"percent_scrolled": 90}},
        ],
    }
    for payload, counts in ((visit, ("1", "0", "0")), (bought, ("4", "0", "1")), (bought, ("4", "0", "1"))):
        answer = httpx.post(f"{served.url}/mp/collect", params=query, content=json.dumps(payload))
        assert (answer.status_code, answer.content) == (204, b"")
        found = tuple(answer.headers[f"x-events-{name}"] for name in ("accepted", "ignored", "rejected"))
        assert found == counts


def millis(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def test_payloads_of_ga4_are_those_of_the_batch_to_the_micro(outcome: Outcome) -> None:
    mine = [e for e in outcome.events.values() if e.customer_id.startswith("ga4-")]
    (visit,) = (e for e in mine if isinstance(e, TouchpointEvent))
    sold, lead, back = sorted(
        (e for e in mine if isinstance(e, ConversionWireEvent)), key=lambda e: (e.occurred_at_us, e.order_id is None)
    )
    day_us = 86_400_000_000
    now_us = millis(outcome.now) * 1000
    touch: Touch = (now_us - 9 * day_us, visit.event_id, "Paid Search", "fall")
    events = [
        ConversionEvent(now_us - 5 * day_us, sold.event_id, "purchase", "ga4-o", 100_010_000, "EUR", "completed", ""),
        ConversionEvent(
            now_us - 4 * day_us, back.event_id, "purchase", "ga4-o", 33_333_334, "EUR", "refunded", "ga4-o"
        ),
        ConversionEvent(now_us - 5 * day_us, lead.event_id, "lead_created", "", 5_000_000, "EUR", "completed", ""),
    ]
    link = Link(1, "any", "ga4-device", "ga4-ada")
    want = batch_credits([("ga4-device", touch)], [("ga4-ada", event) for event in events], links=[link])
    got = outcome.of("ga4")
    assert differences(got, want) == ""
    assert {sum(c.value_micros for c in rows if c.model == "linear") for rows in got.values()} == {
        66_676_666,
        5_000_000,
    }
    letters = [letter for letter in outcome.letters if b"ga4" in (letter.value or b"")]
    assert {letter.summary()["reason"] for letter in letters} == {"implausible_time"}
    assert len({letter.origin for letter in letters}) == 1
