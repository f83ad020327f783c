"""Bulk intake: formats, limits, partial answers, and that what is taken decodes in the stream."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.ingest_routes import spans
from api.intake import take
from api.producer import OutRecord
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryProducer, MemoryStore
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, EventKind, LocalSchemas, Rejected
from schemas.topics import topic_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
RULES = load_channel_rules()
TOUCH = {"event_id": "t1", "customer_id": "c", "occurred_at": "2026-11-01T00:00:00Z", "channel": "Email"}
ORDER = {"event_id": "o1", "customer_id": "c", "occurred_at": "2026-11-02T00:00:00Z", "value": 19.99, "order_id": "1"}


class Record:
    """A written record as the worker gets it."""

    def __init__(self, record: OutRecord) -> None:
        self.topic, self.key, self.value, _ = record
        self.partition = self.offset = 0
        self.timestamp = NOW_MS
        self.headers: list[tuple[str, bytes]] = []


def decoded(kind: EventKind, record: OutRecord) -> Any:
    event = Codec(kind, channel_rules=RULES, schemas=LocalSchemas()).decode(Record(record))
    assert not isinstance(event, Rejected), event.detail
    return event


def api_of(producer: MemoryProducer, settings: ApiSettings | None = None) -> httpx.AsyncClient:
    app = create_app(
        settings or ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets(), producer=producer, now=lambda: NOW
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api/v1/data")


def ndjson(*rows: object) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


FORMS = [
    (json.dumps([TOUCH, {**TOUCH, "event_id": "t2"}]).encode(), "application/json"),
    (json.dumps({"events": [TOUCH, {**TOUCH, "event_id": "t2"}]}).encode(), "application/json; charset=utf-8"),
    (ndjson(TOUCH, {**TOUCH, "event_id": "t2"}) + b"\n\n", "application/x-ndjson"),
    (
        "\ufeffevent_id,customer_id,occurred_at,channel,campaign\n"
        "t1,c,2026-11-01T00:00:00Z,Email,\nt2,c,2026-11-01T00:00:00Z,Email,\n".encode(),
        "text/csv",
    ),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("body", "content_type"), FORMS)
async def test_every_format_writes_the_same_records(body: bytes, content_type: str, packed: bool) -> None:
    producer = MemoryProducer()
    headers = {"Content-Type": content_type} | ({"Content-Encoding": "gzip"} if packed else {})
    async with api_of(producer) as client:
        answer = await client.post(
            "/touchpoints", content=gzip.compress(body, mtime=0) if packed else body, headers=headers
        )
    assert (answer.status_code, answer.json()) == (202, {"sent": 2, "accepted": 2, "rejected": 0, "errors": []})
    assert [(r.topic, r.key) for r in producer.records] == [("attribution.touchpoints", b"c")] * 2
    events = [decoded("touchpoint", r) for r in producer.records]
    assert [(e.event_id, e.channel, e.campaign) for e in events] == [("t1", "Email", None), ("t2", "Email", None)]


async def test_a_bad_row_is_named_and_the_others_are_taken() -> None:
    producer = MemoryProducer()
    body = ndjson(ORDER, {**ORDER, "event_id": "o2", "value": "ten"}) + b'\n{"broken\n[]'
    async with api_of(producer) as client:
        answer = await client.post("/conversions", content=body, headers={"Content-Type": "application/x-ndjson"})
    found = answer.json()
    assert (answer.status_code, found["sent"], found["accepted"], found["rejected"]) == (207, 4, 1, 3)
    assert [(e["index"], e["line"], e["field"], e["reason"]) for e in found["errors"]] == [
        (1, 2, "value", "bad_amount"),
        (2, 3, "", "undecodable"),
        (3, 4, "", "undecodable"),
    ]
    assert found["errors"][0]["event_id"] == "o2"
    assert found["errors"][0]["value"] == "ten"
    assert decoded("conversion", producer.records[0]).value_micros == 19_990_000


async def test_nothing_usable_is_422_and_nothing_is_written() -> None:
    producer = MemoryProducer()
    async with api_of(producer) as client:
        for body in (b"[]", b'[{"event_id": "x"}]'):
            answer = await client.post("/touchpoints", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "events.0.customer_id"
    assert producer.records == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"[", {"Content-Type": "application/json"}, 400),
        (b'{"a": 1}', {"Content-Type": "application/json"}, 422),
        (b"<a/>", {"Content-Type": "application/xml"}, 415),
        (b"[]", {"Content-Type": "application/json", "Content-Encoding": "br"}, 415),
        (b"no gzip", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 400),
        (
            gzip.compress(b"[]" * 99, mtime=0)[:-9],
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            400,
        ),
        (
            gzip.compress(b" " * 2_000_000, mtime=0),
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            413,
        ),
        (b" " * 20_000, {"Content-Type": "application/json"}, 413),
        (b"event_id,event_id\na,b\n", {"Content-Type": "text/csv"}, 422),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_problem(content: bytes, headers: dict[str, str], status: int) -> None:
    producer = MemoryProducer()
    async with api_of(producer, ApiSettings(max_bulk_body_bytes=10_000, max_unpacked_bytes=1_000_000)) as client:
        answer = await client.post("/touchpoints", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert producer.records == []


async def test_more_than_ten_thousand_events_are_too_many() -> None:
    body = b"\n".join([json.dumps(TOUCH).encode()] * 10_001)
    async with api_of(MemoryProducer()) as client:
        answer = await client.post("/touchpoints", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 413
    assert "10000" in answer.json()["detail"]


async def test_what_kafka_did_not_confirm_is_told_by_index() -> None:
    lost = {1, 2, 5}
    producer = MemoryProducer(refuse=lambda i, _: "no answer in time" if i in lost else "")
    rows: list[Any] = [{**TOUCH, "event_id": f"t{i}"} for i in range(7)]
    rows.insert(0, {"bad": "row"})  # indices are those of the request, not of the records
    async with api_of(producer) as client:
        answer = await client.post("/touchpoints", json=rows)
    found = answer.json()
    assert (answer.status_code, found["dependency"], found["accepted"], found["rejected"]) == (503, "kafka", 4, 1)
    assert found["unconfirmed"] == [[2, 3], [6, 6]]
    assert int(answer.headers["retry-after"]) > 0
    assert len(producer.records) == 4


async def test_a_broker_that_is_away_leaves_everything_unconfirmed() -> None:
    async with api_of(MemoryProducer(reason="all brokers are down")) as client:
        answer = await client.post("/touchpoints", json=[TOUCH])
    assert (answer.status_code, answer.json()["unconfirmed"]) == (503, [[0, 0]])


async def test_an_erasure_is_idempotent_within_a_day_or_by_its_name() -> None:
    producer = MemoryProducer()
    async with api_of(producer) as client:
        first = await client.post("/erasures", json={"customer_id": "c-42"})
        again = await client.post("/erasures", json={"customer_id": "c-42"})
        other = await client.post("/erasures", json={"customer_id": "c-42", "policy": "anonymize", "request_id": "r-1"})
        wrong = await client.post("/erasures", json={"customer_id": "c-42", "policy": "shred"})
        blank = await client.post("/erasures", json={"customer_id": " "})
    assert first.status_code == 202
    assert first.json() == again.json()
    assert other.json() == {"request_id": "r-1", "policy": "anonymize", "status": "accepted"}
    assert (wrong.status_code, blank.status_code) == (422, 422)
    events = [decoded("erasure", r) for r in producer.records]
    assert [(e.customer_id, e.policy) for e in events] == [("c-42", "delete")] * 2 + [("c-42", "anonymize")]
    assert {r.topic for r in producer.records} == {topic_of("erasure").topic}


def test_an_event_without_an_id_is_one_event_however_often_it_is_sent() -> None:
    row = {name: value for name, value in TOUCH.items() if name != "event_id"}
    same, other = dict(reversed(row.items())), {**row, "channel": "Display"}
    found = take("touchpoint", [(1, row), (2, same), (3, other)], RULES, NOW_MS)
    assert found.event_ids[0] == found.event_ids[1] != found.event_ids[2]


def test_a_derived_channel_is_left_to_the_worker() -> None:
    row = {**TOUCH, "channel": "", "page_url": "https://shop.test/?utm_source=google&utm_medium=cpc"}
    (record,) = take("touchpoint", [(1, row)], RULES, NOW_MS).records
    assert "channel" not in json.loads(record.value)
    assert decoded("touchpoint", record).channel == "Paid Search"


@pytest.mark.parametrize(
    ("kind", "row", "key"),
    [
        ("conversion", ORDER, b"c"),
        ("identity", {"event_id": "i", "customer_id": "c", "previous_id": "d", "occurred_at": 1_790_000_000}, b"c"),
        (
            "spend",
            {"event_id": "s", "spend_date": "2026-11-01", "channel": "Email", "cost": 1, "currency": "EUR"},
            b"Email",
        ),
    ],
)
def test_the_record_key_is_that_of_the_topic(kind: EventKind, row: dict[str, Any], key: bytes) -> None:
    (record,) = take(kind, [(1, row)], RULES, NOW_MS).records
    assert (record.topic, record.key) == (topic_of(kind).topic, key)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*TOUCH, *ORDER, "cost", "spend_date", "currency", "previous_id", "status", "adjusts", "page_url", "properties"]
)
VALUES = st.sampled_from([*TOUCH.values(), *ORDER.values(), "EUR", "2026-11-01", 1_790_000_000, "refunded"])
ROWS = st.lists(
    st.tuples(st.integers(1, 99), st.dictionaries(NAMES | st.text(max_size=8), VALUES | JSON, max_size=9) | st.text()),
    max_size=6,
)


@given(ROWS, st.sampled_from(["touchpoint", "conversion", "spend", "identity"]))
def test_whatever_is_sent_is_taken_or_refused_and_what_is_taken_decodes(rows: Any, kind: EventKind) -> None:
    rows.append((100, {**TOUCH, **ORDER, "spend_date": "2026-11-01", "cost": 1, "currency": "EUR", "previous_id": "d"}))
    taken = take(kind, rows, RULES, NOW_MS)
    assert sorted([*taken.indices, *(e.at for e in taken.errors)]) == list(range(len(rows)))
    assert len(taken.records) >= 1
    for record, event_id in zip(taken.records, taken.event_ids, strict=True):
        assert decoded(kind, record).event_id == event_id


@given(st.sets(st.integers(0, 40)))
def test_spans_hold_exactly_the_indices(indices: set[int]) -> None:
    found = spans(sorted(indices))
    assert {i for a, b in found for i in range(a, b + 1)} == indices
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(found))


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
async def test_an_event_that_no_record_can_hold_is_named_and_the_others_are_written(content_type: str) -> None:
    """It would never be confirmed: a sender that is told to try again would do so for ever."""
    large = {**TOUCH, "event_id": "large", "properties": {f"p{i}": "x" * 900 for i in range(1_200)}}
    rows = [TOUCH, large, {**TOUCH, "event_id": "t2"}]
    body = json.dumps(rows).encode() if content_type == "application/json" else ndjson(*rows)
    producer = MemoryProducer()
    async with api_of(producer) as client:
        answer = await client.post("/touchpoints", content=body, headers={"content-type": content_type})

    (error,) = answer.json()["errors"]
    assert answer.status_code == 207
    assert (error["index"], error["event_id"], error["field"]) == (1, "large", "properties")
    assert "at most 1,000,000; shorten it" in error["detail"]
    assert len(error["value"]) < 200
    assert len(producer.records) == 2
