"""What dead letters promise to the API, for the double and for the topic itself; and the routes over both."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from api.app import create_app
from api.letter_store import LetterRow, Letters, Place, WholeLetter
from api.settings import ApiSettings
from api.store import Unavailable
from api.testing import MemoryOffsets, MemoryStore
from api.testing_letters import MemoryLetters
from cli.letter_box import LetterBox
from schemas.records import Rejected
from stream_app.dead_letter_headers import of_dead_letter
from stream_app.deadletter import DeadLetters
from stream_app.topics import create_topics, partition_counts

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
TOPIC = "attribution.conversions"
LETTERS = "/api/v1/data/dead-letters"
RETRIES = "/api/v1/data/dead-letter-retries"
GOOD: dict[str, Any] = {"event_id": "o-2", "customer_id": "c-43", "occurred_at": "2026-11-20T09:00:00Z"}


class Record(NamedTuple):
    """A record that was refused."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def refused() -> list[Rejected]:
    """Three letters; the second is of bytes that are no text, the third of the same reason as the first."""
    bad = json.dumps({**GOOD, "value": "ten"}).encode()
    own = (("ce_id", b"x"), ("__value_schema_id", b"\x01"))
    return [
        Rejected(Record(TOPIC, 0, 5, AT_MS, b"c-43", bad, own), "bad_amount", "value", "'ten' is no amount"),
        Rejected(Record(TOPIC, 1, 6, AT_MS, None, b"\xff\xfe"), "undecodable", "", "neither JSON nor Avro"),
        Rejected(Record("attribution.spend", 0, 7, AT_MS, b"c-43", bad), "bad_amount", "cost", "'ten' is no amount"),
    ]


@dataclass
class World:
    """Letters, and what was sent again as topic, key, value, in the order of time."""

    letters: Letters
    sent_again: Callable[[], list[tuple[str, bytes | None, bytes | None]]]

    @property
    def places(self) -> dict[int, Place]:
        """Places of the letters by the offset of their record."""
        return {r.offset: r.place for r in self.letters.newest().rows}


def in_memory() -> World:
    rows = {
        Place(0, i): WholeLetter(
            LetterRow(
                Place(0, i),
                r.record.topic,
                r.record.partition,
                r.record.offset,
                r.reason,
                r.field,
                r.detail,
                stage="decode",
                failed_at=AT.replace(second=i),
                attempts=1,
                retry_of="",
                retried=False,
            ),
            r.record.key,
            r.record.value,
            [(n, v.encode() if isinstance(v, str) else v or b"") for n, v in of_dead_letter(r, AT.isoformat())],
            AT_MS,
        )
        for i, r in enumerate(refused())
    }
    double = MemoryLetters(rows)
    return World(double, lambda: double.again)


@pytest.fixture(params=["double", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    if request.param == "double":
        yield in_memory()
        return
    servers, topic = request.getfixturevalue("kafka_bootstrap"), f"t{uuid.uuid4().hex[:10]}.dead_letter"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result()
    create_topics(servers)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers)
    monkeypatch.setenv("ATTRIBUTION_DEAD_LETTER_TOPIC", topic)
    clock = iter(range(AT_MS * 1000, AT_MS * 1000 + 10_000_000, 1_000_000))
    writer = DeadLetters(servers, topic, lambda: next(clock))
    for item in refused():
        writer.write([item])
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(topic, value=b"somebody else's")
    producer.flush(20)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "enable.auto.commit": False})
    counts = partition_counts(admin)
    places = [TopicPartition(t, p) for t in (TOPIC, "attribution.spend") for p in range(counts[t])]
    starts = {(tp.topic, tp.partition): consumer.get_watermark_offsets(tp, timeout=20)[1] for tp in places}

    def sent_again() -> list[tuple[str, bytes | None, bytes | None]]:
        ends = {(tp.topic, tp.partition): consumer.get_watermark_offsets(tp, timeout=20)[1] for tp in places}
        consumer.assign([TopicPartition(t, p, at) for (t, p), at in starts.items()])
        found: list[Any] = []
        while len(found) < sum(ends[k] - starts[k] for k in starts):
            found += [m for m in consumer.consume(100, timeout=0.2) if m.error() is None]
        return [(m.topic(), m.key(), m.value()) for m in sorted(found, key=lambda m: dict(m.headers())["dlq.attempts"])]

    yield World(LetterBox("default"), sent_again)
    consumer.close()


def client_of(letters: Letters | None) -> httpx.AsyncClient:
    app = create_app(
        ApiSettings(),
        store=MemoryStore(),
        offsets=MemoryOffsets(),
        now=lambda: AT,
        letters=None if letters is None else lambda _: letters,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def test_letters_are_listed_shown_and_sent_again_once(world: World) -> None:
    found, places = world.letters.newest(), world.places
    assert found.is_whole
    rows = {r.offset: r for r in found.rows}
    assert [(rows[n].topic, rows[n].partition, rows[n].reason, rows[n].field) for n in (5, 6, 7)] == [
        (TOPIC, 0, "bad_amount", "value"),
        (TOPIC, 1, "undecodable", ""),
        ("attribution.spend", 0, "bad_amount", "cost"),
    ]
    assert [rows[n].retried for n in (5, 6, 7)] == [False] * 3
    assert rows[5].failed_at == AT.replace(second=0)
    whole = world.letters.letter(places[6])
    assert whole is not None
    assert (whole.key, whole.value, whole.written_at_ms) == (None, b"\xff\xfe", AT_MS)
    assert dict(whole.headers)["dlq.reason"] == b"undecodable"
    nowhere = Place(0, 10**12)
    assert world.letters.letter(nowhere) is None

    done = world.letters.retry(frozenset({places[6], nowhere}), "", again=False)
    assert (done.sent, done.already_sent, done.missing) == ({TOPIC: 1}, 0, [nowhere])
    assert world.letters.retry(frozenset(places.values()), "", again=False).already_sent == 1
    by_reason = world.letters.retry(frozenset(), "bad_amount", again=False)
    assert (dict(by_reason.sent), by_reason.already_sent) == ({}, 2)
    assert {r.retried for r in world.letters.newest().rows} == {True}
    again = world.letters.retry(frozenset(), "bad_amount", again=True)
    assert again.sent == {TOPIC: 1, "attribution.spend": 1}
    sent = world.sent_again()
    assert len(sent) == 5
    assert (TOPIC, None, b"\xff\xfe") in sent


async def test_the_list_as_pages_and_by_what_is_asked(world: World) -> None:
    world.letters.retry(frozenset({world.places[7]}), "", again=False)
    async with client_of(world.letters) as client:
        whole = (await client.get(LETTERS)).json()
        assert [d["offset"] for d in whole["letters"]] == [7, 6, 5]
        assert (whole["matching"], whole["looked_at"], whole["is_whole"], whole["next_cursor"]) == (3, 3, True, None)
        assert whole["letters"][2]["detail"] == "'ten' is no amount"
        pages, cursor = [], None
        while True:
            page = (await client.get(LETTERS, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
            pages += page["letters"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert pages == whole["letters"]
        for asked, offsets in (
            ({"reason": "bad_amount"}, [7, 5]),
            ({"topic": TOPIC}, [6, 5]),
            ({"retried": "true"}, [7]),
            ({"since": AT.replace(second=1).isoformat()}, [7, 6]),
            ({"since": "2026-11-20T10:00:02"}, [7]),
        ):
            found = (await client.get(LETTERS, params=asked)).json()
            assert [d["offset"] for d in found["letters"]] == offsets, asked
        one = (await client.get(f"{LETTERS}/{world.places[6]}")).json()
        assert (one["value"], one["value_encoding"], one["key"]) == ("fffe", "hex", None)
        statuses = [
            (await client.get(f"{LETTERS}{tail}")).status_code
            for tail in ("?reason=to_late", "?limit=0", "?cursor=x", "?since=0.5", "/x", "/0@999999999999")
        ]
        assert statuses == [422, 422, 422, 422, 422, 404]


async def test_a_letter_is_mended_under_the_checks_of_the_workers_and_sent_again(world: World) -> None:
    place = str(world.places[5])
    async with client_of(world.letters) as client:

        async def retry(**asked: Any) -> httpx.Response:
            return await client.post(RETRIES, json=asked)

        for value, field in (
            ({**GOOD, "value": "eleven"}, "value.value"),
            ({k: v for k, v in GOOD.items() if k != "customer_id"}, "value.customer_id"),
            ("[]", "value"),
        ):
            text = value if isinstance(value, str) else json.dumps(value)
            wrong = await retry(letters=[place], value=text)
            assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, field)
        mended = await retry(letters=[place], value=json.dumps({**GOOD, "customer_id": "c-44", "value": "10.00"}))
        assert mended.json() == {
            "sent": [{"topic": TOPIC, "count": 1}],
            "total": 1,
            "already_sent": 0,
            "missing": [],
        }
        assert (await retry(letters=[place], value=json.dumps(GOOD))).json()["already_sent"] == 1
        ((topic, key, content),) = world.sent_again()
        assert (topic, key) == (TOPIC, b"c-44")
        assert json.loads(content or b"")["value_micros"] == 10_000_000
        wrong_bodies: list[dict[str, Any]] = [
            {},
            {"letters": [place], "reason": "empty"},
            {"reason": "no"},
            {"letters": []},
            {"letters": ["x"]},
        ]
        for asked in wrong_bodies:
            assert (await client.post(RETRIES, json=asked)).status_code == 422
        assert (await retry(letters=[place, "0@1"], value="{}")).status_code == 422
        assert (await retry(letters=["0@999999999999"])).status_code == 404
        assert (await retry(letters=["0@999999999999"], value="{}")).status_code == 404
        assert (await retry(reason="empty")).json()["total"] == 0


async def test_a_broker_that_does_not_answer_and_a_process_without_letters_are_503() -> None:
    async with client_of(MemoryLetters(reason="it does not answer")) as client:
        assert (await client.get(LETTERS)).json()["dependency"] == "kafka"
    async with client_of(None) as client:
        answer = await client.get(LETTERS)
    assert (answer.status_code, "attribution dlq" in answer.json()["detail"]) == (503, True)


@pytest.mark.kafka
def test_the_real_box_says_so_too(monkeypatch: pytest.MonkeyPatch, kafka_bootstrap: str) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("ATTRIBUTION_DEAD_LETTER_TOPIC", "nobody.made.it")
    with pytest.raises(Unavailable, match="cannot be read"):
        LetterBox("default").newest()
    monkeypatch.setenv("ATTRIBUTION_EPOCH_RECORDS", "many")
    with pytest.raises(Unavailable, match="settings of workers"):
        LetterBox("default").newest()
