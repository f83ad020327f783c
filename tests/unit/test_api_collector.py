"""The collector's routes: what SDKs get back, that a bad message costs the others nothing, and where it is kept."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.collector_letters import FIRST_OFFSET, MAX_MESSAGE_BYTES
from api.settings import ApiSettings, SettingsError, load_settings
from api.testing import MemoryOffsets, MemoryProducer, MemoryStore
from collector.segment import TYPES
from schemas.topics import topic_of
from stream_app.dead_letter_headers import Origin, as_text, of_retry

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = "2026-11-20T10:00:00Z"
PAGE = {"type": "page", "messageId": "m", "userId": "ada", "timestamp": AT}
SOLD = {
    "type": "track",
    "messageId": "s",
    "userId": "ada",
    "timestamp": AT,
    "event": "Order Completed",
    "properties": {"order_id": "o", "total": 19.99, "currency": "EUR"},
}


def api_of(producer: MemoryProducer, **settings: Any) -> httpx.AsyncClient:
    app = create_app(
        ApiSettings(**settings), store=MemoryStore(), offsets=MemoryOffsets(), producer=producer, now=lambda: NOW
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def by_topic(producer: MemoryProducer) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in producer.records:
        found.setdefault(record.topic.removeprefix("attribution."), []).append(json.loads(record.value))
    return found


def texts(producer: MemoryProducer) -> dict[str, str]:
    """The headers of the one dead letter."""
    (record,) = (r for r in producer.records if r.topic == topic_of("dead_letter").topic)
    return as_text(record.headers)


@pytest.mark.parametrize("kind", TYPES)
async def test_each_path_takes_one_message_of_its_type(kind: str) -> None:
    producer = MemoryProducer()
    message = {**SOLD, "anonymousId": "d", "previousId": "p", "context": {"campaign": {"source": "news"}}}
    del message["type"]
    async with api_of(producer) as client:
        answer = await client.post(f"/v1/{kind}", json=message)
    assert (answer.status_code, answer.json()) == (
        200, {"success": True, "accepted": 1, "ignored": 0, "rejected": 0, "errors": []},
    )  # fmt: skip
    found = by_topic(producer)
    assert [i["previous_id"] for i in found["identities"]] == (["d", "p"] if kind == "alias" else ["d"])
    assert len(found.get("touchpoints", [])) == (kind in {"page", "screen"})
    assert [c["value_micros"] for c in found.get("conversions", [])] == ([19_990_000] if kind == "track" else [])


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import"])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_batch_with_a_bad_message_keeps_the_others_and_a_letter(path: str, packed: bool) -> None:
    producer = MemoryProducer()
    bad = {**SOLD, "messageId": "b", "properties": {"total": "ten"}}
    body = json.dumps({"batch": [PAGE, bad, {"type": "group", "userId": "u"}, SOLD], "sentAt": AT}).encode()
    headers = {"Content-Encoding": "gzip"} if packed else {}
    async with api_of(producer) as client:
        answer = await client.post(path, content=gzip.compress(body) if packed else body, headers=headers)
    assert answer.status_code == 200  # RudderStack's SDK takes any other for a failure of the whole batch
    assert answer.json() == {
        "success": True,
        "accepted": 2,
        "ignored": 1,
        "rejected": 1,
        "errors": [
            {"index": 1, "message_id": "b", "field": "value", "reason": "bad_amount",
             "detail": "'ten' is no amount such as 12.50 within int64 micros"}
        ],
    }  # fmt: skip
    found = by_topic(producer)
    assert ([t["event_id"] for t in found["touchpoints"]], [c["event_id"] for c in found["conversions"]]) == (
        ["m"],
        ["s"],
    )
    assert found["dead_letter"] == [bad]
    told = texts(producer)
    assert (told["dlq.reason"], told["dlq.field"], told["dlq.stage"]) == ("bad_amount", "value", "collect")
    letter = producer.records[1]
    assert letter.key == b"ada"


async def test_a_letter_can_be_listed_and_retried_and_is_one_however_often_it_comes() -> None:
    producer = MemoryProducer()
    async with api_of(producer) as client:
        for message in ({"x": 1.50}, {"x": 1.50, "writeKey": "w.k"}, {"x": 2}):
            assert (await client.post("/v1/page", json=message)).json()["rejected"] == 1
    letters = [r for r in producer.records if r.topic == topic_of("dead_letter").topic]
    origins = [
        Origin.parse("/".join(as_text(r.headers)[f"dlq.{n}"] for n in ("topic", "partition", "offset")))
        for r in letters
    ]
    assert origins[0] == origins[1] != origins[2]
    assert all(o is not None and o.topic == "attribution.touchpoints" for o in origins)
    assert all(o is not None and FIRST_OFFSET <= o.offset < 1 << 63 for o in origins)
    assert dict(of_retry(letters[0].headers))["dlq.retry_of"] == str(origins[0]).encode()
    assert {as_text(r.headers)["dlq.reason"] for r in letters} == {"missing_identity"}
    assert not any(b"writeKey" in r.value for r in letters)


async def test_a_huge_broken_message_leaves_a_letter_that_fits() -> None:
    producer = MemoryProducer()
    body = {"batch": [{"type": "page", "filler": "x" * 2_000_000}, PAGE]}
    async with api_of(producer) as client:
        answer = await client.post("/v1/batch", json=body)
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    (letter,) = (r for r in producer.records if r.topic == topic_of("dead_letter").topic)
    assert len(letter.value) == MAX_MESSAGE_BYTES
    assert "the first 262144 are here" in texts(producer)["dlq.detail"]


async def test_visits_within_the_own_site_are_no_touch_but_still_tell_who_it_is() -> None:
    producer = MemoryProducer()
    page = {"page": {"url": "https://shop.example/b", "referrer": "https://shop.example/a"}}
    async with api_of(producer) as client:
        alone = await client.post("/v1/page", json={**PAGE, "context": page})
        linked = await client.post("/v1/page", json={**PAGE, "anonymousId": "d", "context": page})
    assert [(a.json()["accepted"], a.json()["ignored"]) for a in (alone, linked)] == [(0, 1), (1, 0)]
    assert set(by_topic(producer)) == {"identities"}


async def test_a_link_is_written_once_in_a_request_and_not_without_its_event() -> None:
    producer = MemoryProducer()
    batch = [{**PAGE, "messageId": f"m{n}", "anonymousId": "d"} for n in range(5)]
    broken = {**SOLD, "anonymousId": "e", "properties": {"total": "ten"}}
    async with api_of(producer) as client:
        assert (await client.post("/v1/batch", json={"batch": [broken, *batch]})).json()["accepted"] == 5
    found = by_topic(producer)
    assert (len(found["touchpoints"]), [i["previous_id"] for i in found["identities"]]) == (5, ["d"])


async def test_a_payload_of_ga4() -> None:
    producer = MemoryProducer()
    payload = {
        "client_id": "c",
        "events": [{"name": "page_view"}, {"name": "scroll"}, {"name": "purchase", "params": {"value": "ten"}}],
    }
    async with api_of(producer) as client:
        answer = await client.post("/mp/collect?measurement_id=G-1&api_secret=x", content=json.dumps(payload))
    assert (answer.status_code, answer.content) == (204, b"")
    counts = [answer.headers[f"x-events-{name}"] for name in ("accepted", "ignored", "rejected")]
    assert counts == ["1", "1", "1"]
    assert by_topic(producer)["dead_letter"] == [{"client_id": "c", "event": payload["events"][2]}]


@pytest.mark.parametrize(
    ("path", "content", "headers", "status"),
    [
        ("/v1/batch", b"[", {}, 400),
        ("/v1/batch", b"[]", {}, 422),
        ("/v1/batch", b'{"batch": {}}', {}, 422),
        ("/v1/track", b"[]", {}, 422),
        ("/v1/track", b"", {}, 400),
        ("/mp/collect", b"{}", {}, 422),
        ("/mp/collect", b"\xff", {}, 400),
        ("/v1/batch", b"{}", {"Content-Encoding": "br"}, 415),
        ("/v1/batch", b"no gzip", {"Content-Encoding": "gzip"}, 400),
        ("/v1/batch", gzip.compress(b" " * 2_000_000), {"Content-Encoding": "gzip"}, 413),
        ("/v1/batch", b" " * 20_000, {}, 413),
        ("/v1/batch", json.dumps({"batch": [1] * 10_001}).encode(), {}, 413),
    ],
)
async def test_a_body_that_holds_no_messages_is_a_problem_that_sdks_can_read(
    path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    producer = MemoryProducer()
    limit = 10_000 if content.isspace() else 100_000
    async with api_of(producer, max_bulk_body_bytes=limit, max_unpacked_bytes=1_000_000) as client:
        answer = await client.post(path, content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    found = answer.json()
    if path.startswith("/v1/"):
        assert found["type"].endswith(f":{found['code']}")
        assert found["message"] == found["detail"]
    assert producer.records == []


async def test_what_kafka_does_not_confirm_makes_the_sdk_send_again() -> None:
    producer = MemoryProducer(refuse=lambda index, _: "no answer in time" if index else "")
    async with api_of(producer) as client:
        for path, body in (("/v1/batch", {"batch": [PAGE, SOLD]}), ("/v1/batch", {"batch": [PAGE, {}]})):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["dependency"], answer.headers["retry-after"]) == (
                503,
                "kafka",
                "2",
            )


async def test_own_conversion_events_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_API_CONVERSION_EVENTS", "Signed Up=signup, Trial Started")
    monkeypatch.setenv("ATTRIBUTION_API_TOUCH_EVENTS", "Webinar Attended")
    producer = MemoryProducer()
    app = create_app(load_settings(), store=MemoryStore(), offsets=MemoryOffsets(), producer=producer, now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for event in ("signed up", "Trial Started", "Webinar Attended", "Other"):
            await client.post("/v1/track", json={**SOLD, "event": event})
    found = by_topic(producer)
    assert [c["conversion_type"] for c in found["conversions"]] == ["signup", "trial_started"]
    assert [t["properties"]["event"] for t in found["touchpoints"]] == ["Webinar Attended"]
    monkeypatch.setenv("ATTRIBUTION_API_CONVERSION_EVENTS", "=x")
    with pytest.raises(SettingsError, match=r"ATTRIBUTION_API_CONVERSION_EVENTS.*Signed Up=signup"):
        load_settings()
