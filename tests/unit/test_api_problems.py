"""Every failure is a problem of RFC 9457 that tells the caller what to do and nothing about our insides."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from api.store import Unavailable
from api.testing import MemoryOffsets, MemoryStore

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
READS = (
    "/api/v1/attribution/results/c",
    "/api/v1/analytics/channel-performance",
    "/api/v1/analytics/customer-journey/c",
    "/api/v1/data/status",
)


def build(store: MemoryStore | None = None, offsets: MemoryOffsets | None = None, **settings: Any) -> FastAPI:
    return create_app(
        ApiSettings(**settings), store=store or MemoryStore(), offsets=offsets or MemoryOffsets(), now=lambda: NOW
    )


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def check_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:realtime-attribution:problem:")
    assert problem["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    assert problem["title"]
    assert problem["detail"]
    return problem


async def test_an_unknown_path_is_a_problem() -> None:
    async with client_of(build()) as client:
        assert "/nope" in check_problem(await client.get("/nope"), 404)["detail"]
        check_problem(await client.get("/static/nope.js"), 404)
        check_problem(await client.get("/static/../settings.py"), 404)


async def test_a_wrong_method_is_a_problem_with_the_right_ones() -> None:
    async with client_of(build()) as client:
        response = await client.delete("/health")
        check_problem(response, 405)
        assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("path", READS)
async def test_a_dependency_that_is_down_is_named(path: str) -> None:
    async with client_of(build(MemoryStore(failure=Unavailable("clickhouse", "it cannot be reached")))) as client:
        response = await client.get(path)
        problem = check_problem(response, 503)
        assert problem["dependency"] == "clickhouse"
        assert "it cannot be reached" in problem["detail"]
        assert response.headers["retry-after"]


@pytest.mark.parametrize("path", READS)
async def test_an_internal_error_tells_nothing_but_its_id(path: str, caplog: pytest.LogCaptureFixture) -> None:
    secret = "SELECT password FROM 10.0.0.1"  # noqa: S105 - the point: it must not come out
    async with client_of(build(MemoryStore(failure=RuntimeError(secret)))) as client:
        response = await client.get(path)
        problem = check_problem(response, 500)
        assert "SELECT" not in response.text
        assert "RuntimeError" not in response.text
        assert "Traceback" not in response.text
    assert problem["instance"].removeprefix("urn:uuid:") in caplog.text
    assert secret in caplog.text


async def test_health_is_200_while_the_api_lives_and_names_what_is_missing() -> None:
    store = MemoryStore(failure=Unavailable("clickhouse", "it cannot be reached"))
    async with client_of(build(store, MemoryOffsets(reason="timed out"))) as client:
        response = await client.get("/health")
        assert response.status_code == 200
        assert response.json()["status"] == "degraded"
        states = {d["name"]: (d["status"], d["reason"]) for d in response.json()["dependencies"]}
        assert states == {
            "clickhouse": ("unavailable", "it cannot be reached"),
            "kafka": ("unavailable", "timed out"),
        }


async def test_ready_is_503_without_a_required_dependency_only() -> None:
    async with client_of(build(MemoryStore(failure=Unavailable("clickhouse", "down")))) as client:
        assert check_problem(await client.get("/ready"), 503)["dependency"] == "clickhouse"
    async with client_of(build(offsets=MemoryOffsets(reason="down"))) as client:
        response = await client.get("/ready")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
    async with client_of(build()) as client:
        assert (await client.get("/ready")).json()["status"] == "ok"


@pytest.mark.parametrize("is_declared", [True, False], ids=["content-length", "chunked"])
async def test_a_body_above_the_limit_is_refused(is_declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 1_000

    body: Any = b"x" * 40_000 if is_declared else chunks()
    async with client_of(build(max_calculate_body_bytes=20_000, max_body_bytes=1_000)) as client:
        response = await client.post("/api/v1/attribution/calculate", content=body)
        assert "20000 bytes" in check_problem(response, 413)["detail"]
        small = await client.request("GET", "/health", content=b"x" * 2_000)
        assert "1000 bytes" in check_problem(small, 413)["detail"]


async def test_a_slow_answer_ends_at_the_time_limit() -> None:
    class Slow(MemoryStore):
        def standing(self) -> Any:
            asyncio.run(asyncio.sleep(0.5))
            return super().standing()

    async with client_of(build(Slow(), request_timeout_s=0.05)) as client:
        assert "0.05 s" in check_problem(await client.get(READS[0]), 504)["detail"]


@pytest.mark.parametrize("path", ["/health", "/nope", "/docs", "/openapi.json", "/static/docs.js", READS[1]])
async def test_security_headers_are_on_every_answer(path: str) -> None:
    async with client_of(build()) as client:
        headers = (await client.get(path, headers={"Origin": "https://elsewhere.example"})).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] in {"no-store", "no-cache", "private, no-cache"}
    assert (headers["cache-control"] == "no-store") == (not path.startswith("/static/") and path != READS[1])


async def test_request_ids_differ() -> None:
    async with client_of(build()) as client:
        ids = [(await client.get("/health")).headers["x-request-id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"[0-9a-f-]{36}", i) for i in ids)


async def test_long_answers_are_compressed_when_asked() -> None:
    async with client_of(build()) as client:
        plain = await client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        async with client.stream("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in packed.headers["vary"]
            raw = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 3


async def test_closing_the_application_closes_its_ports() -> None:
    store, offsets = MemoryStore(), MemoryOffsets()
    app = build(store, offsets)
    async with app.router.lifespan_context(app):
        assert not store.is_closed
    assert store.is_closed
    assert offsets.is_closed
