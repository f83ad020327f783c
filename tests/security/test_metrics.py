"""``/metrics``: who may read it, that it counts what happened, and that nothing of a caller's is in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from event_client import EventClient

from accounts.roles import Role
from telemetry.api_metrics import API, ApiMetrics
from telemetry.metric import WORK_S

Client = Callable[..., httpx.AsyncClient]
LINE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)+)\})? (-?[\d.e+-]+)')


def read(text: str) -> dict[tuple[str, str], float]:
    """Every sample by name and labels; a line that is none fails."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, line
            found[match[1], match[2] or ""] = float(match[3])
    return found


@pytest.mark.parametrize("role", list(Role))
async def test_administrators_alone_read_it(world: Any, open_client: Client, role: Role) -> None:
    async with open_client(world.app(), world.key(role)) as client:
        assert (await client.get("/metrics")).status_code == (200 if role is Role.ADMIN else 403)
    async with open_client(world.app()) as client:
        assert (await client.get("/metrics")).status_code == 401


async def test_requests_refusals_events_and_listeners_are_counted(world: Any, open_client: Client) -> None:
    app = world.app(stream_poll_s=0.01, rate_limit="3/minute")
    admin, viewer = world.key(Role.ADMIN), world.key(Role.VIEWER)
    event = {"event_id": "e", "customer_id": "c", "occurred_at": "2026-11-20T10:00:00Z", "channel": "Email"}
    async with open_client(app, viewer) as client:
        for _ in range(5):  # three pass
            await client.get("/api/v1/attribution/models")
    async with open_client(app) as client:
        await client.get("/api/v1/attribution/models")
    async with EventClient(app, key=admin), open_client(app, admin) as client:
        await client.post("/api/v1/data/touchpoints", json=[event, {}, {}])
        seen = read((await client.get("/metrics")).text)
    models = 'method="GET",route="/api/v1/attribution/models",status='
    assert seen["attribution_api_requests_total", f'{models}"200"'] == 3
    assert seen["attribution_api_requests_total", f'{models}"429"'] == 2
    assert seen["attribution_api_refused_total", 'status="429"'] == 2
    assert seen["attribution_api_refused_total", 'status="401"'] == 1
    assert seen["attribution_api_intake_events_total", 'result="rejected",topic="attribution.touchpoints"'] == 2
    assert seen["attribution_api_stream_listeners", ""] == 1
    assert seen["attribution_api_requests_in_flight", ""] == 2  # the stream and this question
    assert seen["attribution_api_request_seconds_count", 'method="GET",route="/api/v1/attribution/models"'] == 6


async def test_nothing_that_a_caller_sent_is_in_it(world: Any, open_client: Client) -> None:
    """Ids, paths, methods, parameters and keys of requests, right and wrong ones."""
    app, key = world.app(), world.key(Role.ADMIN)
    async with open_client(app, key) as client:
        for path in (
            "/api/v1/attribution/results/SECRET-id",
            "/api/v1/analytics/customer-journey/SECRET/id",
            "/SECRET-path",
            "/api/v1/runs/SECRET-run",
            "/api/v1/analytics/channel-performance?attribution_model=SECRET",
            "/static/SECRET.js",
        ):
            await client.get(path, headers={"X-Anything": "SECRET"})
        await client.request("SECRET", "/api/v1/attribution/models")
        await client.post("/api/v1/data/touchpoints", json=[{"customer_id": "SECRET", "event_id": "SECRET"}])
        text = (await client.get("/metrics")).text
    assert "secret" not in text.lower()
    assert key.split(".")[0] not in text
    assert key.split(".")[1] not in text
    seen = read(text)
    assert ("attribution_api_requests_total", 'method="GET",route="-",status="404"') in seen
    assert {re.search(r'method="(\w+)"', labels)[1] for n, labels in seen if "method=" in labels} <= {  # type: ignore[index] # it has one
        "GET",
        "POST",
        "other",
    }


def test_the_text_has_every_metric_of_the_catalogue_and_whole_histograms() -> None:
    metrics = ApiMetrics()
    for seconds in (0.0001, 0.003, 0.003, 99):
        metrics.observe("attribution_api_query_seconds", seconds, 'a"b\\c\n', "ok")
    text = metrics.text()
    for name, metric in API.items():
        assert f"# TYPE {name} {metric.kind}\n" in text
        assert f"# HELP {name} {metric.meaning}\n" in text
    seen = read(text)
    query, result = r'query="a\"b\\c\n"', 'result="ok"'
    counts = [seen["attribution_api_query_seconds_bucket", f'le="{b}",{query},{result}'] for b in (*WORK_S, "+Inf")]
    assert counts == sorted(counts)
    assert (counts[0], counts[3], counts[-2], counts[-1]) == (1, 3, 3, 4)
    assert seen["attribution_api_query_seconds_count", f"{query},{result}"] == 4
    assert seen["attribution_api_query_seconds_sum", f"{query},{result}"] == pytest.approx(99.0061)
