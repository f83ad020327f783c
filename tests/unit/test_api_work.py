"""How much work a request is: calls, queries, threads. Counted, not timed, so the bounds hold on any machine."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest

from api import attribution_routes, calculation
from api.app import create_app
from api.front import Api
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryStore

CALCULATE = "/api/v1/attribution/calculate"
SEVEN = ["first_touch", "last_touch", "last_non_direct", "linear", "time_decay", "u_shaped", "w_shaped"]


def build() -> Api:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return create_app(ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets(), now=lambda: now)


def body(touches: int) -> bytes:
    points = [
        {"id": f"t{i}", "timestamp": f"2026-11-{1 + i % 20:02}T09:00:{i % 60:02}Z", "channel": "Email", "cost": 0.35}
        for i in range(touches)
    ]
    conversion = {"timestamp": "2026-11-24T08:00:00Z", "value": 129.9}
    return json.dumps({"customer_id": "c", "touchpoints": points, "conversion": conversion, "models": SEVEN}).encode()


async def ask(app: Api, method: str, path: str, content: bytes = b"", query: str = "") -> int:
    """The status of one request, with nothing of a client around it."""
    statuses: list[int] = []
    head = [(b"host", b"test"), (b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": head}
    scope |= {"query_string": query.encode(), "root_path": "", "http_version": "1.1", "scheme": "http", "state": {}}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "asgi": {"version": "3.0"}}
    await app(scope, receive, send)
    return statuses[0]


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Calls of Python functions of this thread, by the package that the function is in."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            calls[str(frame.f_globals.get("__name__", "")).partition(".")[0]] += 1

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def calls_of(app: Api, touches: int) -> Counter[str]:
    content = body(touches)
    for _ in range(2):  # the first one imports and fills caches
        assert await ask(app, "POST", CALCULATE, content) == 200
    with counted() as calls:
        await ask(app, "POST", CALCULATE, content)
    return calls


async def test_a_right_calculation_takes_few_calls_and_nothing_of_the_framework_s_validation() -> None:
    calls = await calls_of(build(), 10)
    assert calls["api"] > 10  # counting works
    assert calls["pydantic"] == 0
    assert sum(calls.values()) < 230


async def test_a_touchpoint_more_is_a_handful_of_calls_more() -> None:
    app = build()
    few, many = sum((await calls_of(app, 10)).values()), sum((await calls_of(app, 100)).values())
    assert (many - few) / 90 < 5


async def test_a_short_calculation_takes_no_thread_and_a_long_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handing work to a thread costs more than ten touchpoints; 1,000 of them would hold up everybody else."""
    seen: list[bool] = []

    def noted(*arguments: Any) -> bytes:
        seen.append(threading.current_thread() is threading.main_thread())
        return calculation.calculate(*arguments)

    monkeypatch.setattr(attribution_routes, "calculate", noted)
    app = build()
    for touches in (10, 1_000):
        assert await ask(app, "POST", CALCULATE, body(touches)) == 200
    assert seen == [True, False]


async def test_rules_and_plans_that_callers_choose_are_kept_in_a_bounded_number() -> None:
    app = build()
    for n in range(1, 3 * calculation._KEPT_RULES):
        asked = json.loads(body(1 + n % 30)) | {"lookback_days": n}
        assert await ask(app, "POST", CALCULATE, json.dumps(asked).encode()) == 200
    assert calculation._attributor.cache_info().currsize <= calculation._KEPT_RULES
    assert calculation._KEPT_RULES * calculation._KEPT_PLANS <= 4_096


async def test_no_request_without_a_query_is_handed_to_a_thread() -> None:
    """A dependency that is a plain function would be: FastAPI cannot know that it does not block."""
    app = build()
    before = threading.active_count()
    for path in ("/api/v1/attribution/models", "/openapi.json", "/docs"):
        assert await asyncio.wait_for(ask(app, "GET", path), 30) == 200
    assert threading.active_count() == before
