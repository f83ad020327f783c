"""Both clients over a transport of our own: attempts, streams, secrets, frames."""

from __future__ import annotations

import logging
import pickle
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pandas as pd
import pytest

from attribution_client import (
    AsyncClient,
    Cache,
    Client,
    ProtocolError,
    Retries,
    ServiceUnavailable,
    ServiceUnreachable,
)
from attribution_client.connection import Connection
from attribution_client.models.analytics import ChannelPerformance, ChannelReport, CustomerJourney, JourneyEvent
from attribution_client.models.attribution import Result, ResultCredit, ResultPage
from attribution_client.models.common import Meta, Performance
from attribution_client.problems import Problem, problem_of

WHO: dict[str, Any] = {"actor": "key:1", "role": "viewer", "scopes": [], "workspace": "default", "expires_at": None}
KEY = "0123456789abcdef.SECRETSECRETSECRET"
META = Meta(run_id=1, as_of=None, watermark=None, lag_seconds=None, model_version=None)


class Service:
    """Answers in turn; the last one goes on."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        if isinstance(found.stream, Chunks):
            return httpx.Response(found.status_code, headers=found.headers, stream=found.stream)
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


class Both:
    """The same question to both clients, each with a service of its own."""

    def __init__(self, **settings: Any) -> None:
        self.settings = {"uniform": lambda _low, high: high, **settings}
        self.waits: list[float] = []

    async def ask(self, answers: list[Any], name: str, **asked: Any) -> list[Any]:
        """What each answered or raised; they must have waited alike."""
        found: list[Any] = []
        one, other = Service(*answers), Service(*answers)
        first: list[float] = []
        second: list[float] = []

        async def sleep(seconds: float) -> None:
            second.append(seconds)

        with Client(
            "http://test", KEY, transport=httpx.MockTransport(one), sleep=first.append, **self.settings
        ) as client:
            try:
                found.append(getattr(client, name)(**asked))
            except Exception as error:  # noqa: BLE001 - to be compared
                found.append(error)
        transport = httpx.MockTransport(other)
        async with AsyncClient("http://test", KEY, transport=transport, sleep=sleep, **self.settings) as client_:
            try:
                found.append(await getattr(client_, name)(**asked))
            except Exception as error:  # noqa: BLE001 - to be compared
                found.append(error)
        assert first == second
        assert len(one.requests) == len(other.requests)
        self.waits, self.requests = first, one.requests
        return found


async def test_a_busy_service_is_asked_again_after_the_time_it_names() -> None:
    both = Both()
    busy = httpx.Response(503, headers={"Retry-After": "2"}, json={"title": "Dependency unavailable"})
    found = await both.ask([busy, httpx.ConnectError("refused"), httpx.Response(200, json=WHO)], "who")
    assert [w.actor for w in found] == ["key:1"] * 2
    assert both.waits == [2.2, 0.4]


async def test_the_last_failure_is_raised_with_its_way_out() -> None:
    both = Both(retries=Retries(attempts=3))
    down = httpx.Response(503, json={"title": "Dependency unavailable", "dependency": "clickhouse", "detail": "Wait."})
    for error in await both.ask([down], "who"):
        assert isinstance(error, ServiceUnavailable)
        assert (error.dependency, error.status, len(both.requests)) == ("clickhouse", 503, 3)
    for error in await both.ask([httpx.ConnectTimeout("slow")], "who"):
        assert isinstance(error, ServiceUnreachable)
        assert "3 attempts" in str(error)
        assert "http://test" in str(error)


@pytest.mark.parametrize("name", ["create_key", "token", "health", "revoke_key"])
async def test_what_may_not_be_repeated_is_sent_once(name: str) -> None:
    both = Both()
    given = {"create_key": {"role": "viewer"}, "revoke_key": {"key_id": "k"}}.get(name, {})
    for error in await both.ask([httpx.ReadTimeout("slow")], name, **given):
        assert isinstance(error, ServiceUnreachable)
    assert len(both.requests) == 1
    assert both.waits == []


async def test_an_answer_of_something_else_is_told() -> None:
    both = Both()
    for error in await both.ask([httpx.Response(200, text="<html>")], "who"):
        assert isinstance(error, ProtocolError)
        assert "address" in str(error)
    for error in await both.ask([httpx.Response(200, json={**WHO, "role": 7})], "who"):
        assert "role of Who is int" in str(error)
    for error in await both.ask([httpx.Response(302, headers={"Location": "http://evil"})], "who"):
        assert isinstance(error, ProtocolError)
    assert {r.url.host for r in both.requests} == {"test"}, "a redirect takes the key nowhere"
    proxy = problem_of(502, b"<html>bad gateway")
    assert (type(proxy), proxy.title, proxy.errors) == (ServiceUnavailable, "HTTP 502", ())


async def test_a_report_without_a_tag_is_not_kept_and_one_with_is() -> None:
    both = Both(cache=None)
    await both.ask([httpx.Response(200, json=WHO, headers={"ETag": 'W/"1"'})], "who")
    assert "if-none-match" not in both.requests[0].headers
    service = Service(httpx.Response(200, json=WHO, headers={"ETag": 'W/"1"'}), httpx.Response(304))
    with Client("http://test", transport=httpx.MockTransport(service), cache=Cache(1)) as client:
        first = client.who()
        assert client.who() is first
        assert service.requests[1].headers["if-none-match"] == 'W/"1"'
        assert client.connection.cache is not None
        client.connection.cache.clear()
        service.answers = [httpx.Response(304)]
        with pytest.raises(ProtocolError):
            client.who()


async def test_no_secret_is_in_any_text(caplog: pytest.LogCaptureFixture) -> None:
    both, secret = Both(retries=Retries(attempts=2)), {"password": "PASSWORD1"}
    with caplog.at_level(logging.DEBUG):
        failed = await both.ask([httpx.Response(503, json={"detail": "x"}), httpx.ReadError("y")], "who")
        failed += await both.ask([httpx.Response(401, json={"detail": "x"})], "login", user="u", **secret)
    texts = [caplog.text, *(repr(e) + str(e) for e in failed), repr(Connection(key=KEY, session="COOKIE1"))]
    with Client("http://test", KEY, session="COOKIE1") as client:
        texts += [repr(client), str(vars(client)), repr(client._http.headers)]
    for hidden in ("SECRETSECRET", "PASSWORD1", "COOKIE1"):
        assert not any(hidden in text for text in texts)
    with pytest.raises(ValueError, match="without a password") as bad:
        Client("http://user:PASSWORD1@test")
    assert "PASSWORD1" not in str(bad.value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_API_URL", "https://attribution.example.org")
    monkeypatch.setenv("ATTRIBUTION_API_KEY", KEY)
    service = Service(httpx.Response(200, json=WHO))
    with Client(transport=httpx.MockTransport(service)) as client:
        client.who()
    assert str(service.requests[0].url) == "https://attribution.example.org/api/v1/auth/me"
    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends with an error, like a connection that breaks."""

    def __init__(self, *parts: bytes, breaks: bool) -> None:
        self.parts, self.breaks = parts, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts
        if self.breaks:
            raise httpx.ReadError("reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


def stream(*parts: bytes, breaks: bool = False) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Chunks(*parts, breaks=breaks))


def live() -> Service:
    return Service(
        stream(b'retry: 5\n\nid: 1\nevent: conversion\ndata: {"n": 1}\n\nid: 2\nda', breaks=True),
        httpx.Response(503, headers={"Retry-After": "3"}),
        stream(b'id: 2\nevent: conversion\ndata: {"n"', b": 2}\n\n"),
        httpx.ConnectError("refused"),
        stream(b": ping\n\n", b'id: 3\ndata: {"n": 3}\n\n'),
        httpx.Response(403, json={"title": "Not allowed"}),
    )


async def test_a_stream_goes_on_behind_the_last_whole_event() -> None:
    waits: list[float] = []
    seen: list[tuple[str, str, Any]] = []
    service = live()
    settings: dict[str, Any] = {"uniform": lambda _low, high: high}
    client = Client("http://test", KEY, transport=httpx.MockTransport(service), sleep=waits.append, **settings)
    with client, pytest.raises(Problem, match="Not allowed"):
        seen.extend((e.id, e.event, e.data["n"]) for e in client.stream_conversions(last_event_id="0", channel="Email"))
    assert seen == [("1", "conversion", 1), ("2", "conversion", 2), ("3", "message", 3)]
    assert [r.headers.get("last-event-id") for r in service.requests] == ["0", "1", "1", "2", "2", "3"]
    assert {str(r.url.params) for r in service.requests} == {"channel=Email"}
    assert waits == pytest.approx([0.205, 3.4, 0.205, 0.405, 0.205])

    again: list[float] = []
    other: list[tuple[str, str, Any]] = []

    async def sleep(seconds: float) -> None:
        again.append(seconds)

    async with AsyncClient(
        "http://test", KEY, transport=httpx.MockTransport(live()), sleep=sleep, **settings
    ) as client_:
        with pytest.raises(Problem, match="Not allowed"):  # noqa: PT012 - events come first, the end is an exception
            async for e in client_.stream_conversions(last_event_id="0"):
                other.append((e.id, e.event, e.data["n"]))  # noqa: PERF401 - as above
    assert (other, again) == (seen, waits)


def test_a_stream_that_is_none_or_ends_at_once_is_told() -> None:
    for answer, kind in (
        (httpx.Response(200, json={}), ProtocolError),
        (stream(b"data: no json\n\n"), ProtocolError),
        (stream(), ServiceUnreachable),
    ):
        transport = httpx.MockTransport(Service(answer))
        with Client("http://test", transport=transport, sleep=lambda _: None) as client, pytest.raises(kind):
            list(client.stream_conversions())


BIG = 2**53 + 1


def report(*channels: ChannelPerformance) -> ChannelReport:
    totals = Performance(conversions=0, revenue_micros=0, spend_micros=0, touchpoints=0, cpa=None, roas=None, roi=None)
    return ChannelReport(
        start_date=datetime(2026, 3, 1, tzinfo=UTC).date(),
        end_date=datetime(2026, 3, 1, tzinfo=UTC).date(),
        other_currencies=(),
        converted_currencies=(),
        meta=META,
        basis="conversion_day",
        channels=channels,
        totals=totals,
        spend_behind=(),
    )


def test_frames_hold_exact_amounts_and_the_same_columns_when_empty() -> None:
    email = ChannelPerformance(
        channel="Email",
        conversions=1.5,
        revenue_micros=BIG,
        spend_micros=1,
        touchpoints=2,
        cpa=Decimal("0.1"),
        roas=None,
        roi=None,
        spend_through=None,
    )
    frame = report(email).to_frame()
    assert frame["revenue_micros"].tolist() == [BIG]
    assert str(frame.dtypes["revenue_micros"]) == "int64"
    assert frame["cpa"].tolist() == [Decimal("0.1")]
    assert list(report().to_frame().dtypes.items()) == list(frame.dtypes.items())
    exact = report(email).to_frame(decimals=True)
    assert exact["revenue"].tolist() == [Decimal("9007199254.740993")]
    assert report(email).to_rows()[0]["revenue_micros"] == BIG


def test_a_nullable_amount_and_nested_rows_never_become_floats() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    events = tuple(
        JourneyEvent(type="touchpoint", event_id=str(cost), occurred_at=at, cost_micros=cost) for cost in (None, BIG)
    )
    frame = CustomerJourney(customer_id="c", events=events, next_cursor=None, meta=META).to_frame()
    assert str(frame.dtypes["cost_micros"]) == "Int64"
    assert frame["cost_micros"].tolist() == [pd.NA, BIG]
    assert str(frame.dtypes["occurred_at"]) == "datetime64[us, UTC]"
    credit = ResultCredit(touchpoint_id="t", channel="Email", weight=1.0, value_micros=5, position=1, touched_at=at)
    result = Result(
        conversion_id="v",
        conversion_type="purchase",
        converted_at=at,
        value_micros=10,
        currency="USD",
        model="linear",
        rev=1,
        credits=(credit, credit),
        unattributed_value_micros=0,
    )
    rows = ResultPage(customer_id="c", results=(result,), next_cursor=None, meta=META).to_rows()
    assert [(r["conversion_id"], r["conversion_value_micros"], r["value_micros"]) for r in rows] == [("v", 10, 5)] * 2


def test_answers_can_be_copied_between_processes() -> None:
    page = report()
    assert pickle.loads(pickle.dumps(page)) == page  # noqa: S301 - our own
