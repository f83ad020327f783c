"""OpenAPI is complete and true, ``/docs`` needs no internet, and wrong settings stop the start."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from typer.testing import CliRunner

from api import (
    analytics_responses,
    attribution_responses,
    budget_responses,
    collector_responses,
    data_responses,
    explain_responses,
    fit_responses,
    funnel_responses,
    ingest_responses,
    letter_responses,
    lift_responses,
    live_responses,
    paths_responses,
    responses,
    run_responses,
    sums_responses,
    unattributed_responses,
)
from api.app import create_app
from api.settings import EXAMPLES, ApiSettings, SettingsError, load_settings
from api.testing import MemoryOffsets, MemoryStore
from attribution.models.registry import MODELS
from collector.segment import TYPES

METHODS = {"get", "post", "put", "patch", "delete"}


def build() -> FastAPI:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return create_app(ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets(), now=lambda: now)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = build().openapi()["paths"]
    return [(path, method, op) for path, item in paths.items() for method, op in item.items() if method in METHODS]


def example_of(schema: dict[str, Any], components: dict[str, Any]) -> Any:
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[-1]]
    return schema.get("example")


def test_the_endpoints_are_those_promised() -> None:
    assert {(method.upper(), path) for path, method, _ in operations()} == {
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/api/v1/attribution/models"),
        ("POST", "/api/v1/attribution/calculate"),
        ("POST", "/api/v1/attribution/calculate/batch"),
        ("GET", "/api/v1/attribution/results/{customer_id}"),
        ("GET", "/api/v1/analytics/channel-performance"),
        ("GET", "/api/v1/analytics/customer-journey/{customer_id}"),
        ("GET", "/api/v1/attribution/compare"),
        ("GET", "/api/v1/attribution/data-driven"),
        ("GET", "/api/v1/attribution/conversions/{conversion_id}/explain"),
        ("GET", "/api/v1/analytics/campaign-performance"),
        ("GET", "/api/v1/analytics/roi"),
        ("GET", "/api/v1/analytics/timeseries"),
        ("GET", "/api/v1/stream/conversions"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/runs"),
        ("GET", "/api/v1/runs/compare"),
        ("GET", "/api/v1/runs/{run}"),
        ("POST", "/api/v1/runs/{run}/promote"),
        ("POST", "/api/v1/runs"),
        ("POST", "/api/v1/runs/{run}/cancel"),
        ("POST", "/api/v1/runs/{run}/drop"),
        ("GET", "/api/v1/runs/difference"),
        ("GET", "/api/v1/analytics/budget"),
        ("GET", "/api/v1/analytics/lift"),
        ("GET", "/api/v1/analytics/lift-tests"),
        ("POST", "/api/v1/analytics/lift-tests"),
        ("DELETE", "/api/v1/analytics/lift-tests/{test_id}"),
        ("GET", "/api/v1/analytics/top-paths"),
        ("GET", "/api/v1/analytics/path-length"),
        ("GET", "/api/v1/analytics/time-lag"),
        ("GET", "/api/v1/analytics/assisted-conversions"),
        ("GET", "/api/v1/analytics/conversion-funnel"),
        ("GET", "/api/v1/analytics/unattributed"),
        ("GET", "/api/v1/data/status"),
        ("POST", "/api/v1/data/touchpoints"),
        ("POST", "/api/v1/data/conversions"),
        ("POST", "/api/v1/data/spend"),
        ("POST", "/api/v1/data/identities"),
        ("POST", "/api/v1/data/erasures"),
        *(("POST", f"/v1/{name}") for name in (*TYPES, "batch", "import")),
        ("POST", "/mp/collect"),
        ("POST", "/api/v1/auth/login"),
        ("POST", "/api/v1/auth/refresh"),
        ("POST", "/api/v1/auth/logout"),
        ("GET", "/api/v1/auth/me"),
        ("POST", "/api/v1/auth/token"),
        ("GET", "/api/v1/auth/keys"),
        ("POST", "/api/v1/auth/keys"),
        ("DELETE", "/api/v1/auth/keys/{key_id}"),
        ("GET", "/api/v1/auth/users"),
        ("POST", "/api/v1/auth/users"),
        ("POST", "/api/v1/auth/users/{name}"),
        ("GET", "/api/v1/data/dead-letters"),
        ("GET", "/api/v1/data/dead-letters/{letter}"),
        ("POST", "/api/v1/data/dead-letter-retries"),
    }


async def test_the_description_holds_every_route_that_answers() -> None:
    """Described and served are the same: each described path answers, and each served path is described."""
    app = build()
    described = {(path, method) for path, method, _ in operations()}
    served: set[tuple[str, str]] = set()
    queue: list[Any] = list(app.router.routes)
    while queue:
        route = queue.pop()
        if isinstance(route, APIRoute):
            served |= {(route.path_format, m.lower()) for m in route.methods or () if m != "HEAD"}
        queue += getattr(getattr(route, "original_router", None), "routes", [])
    assert served == described
    async with client_of(app) as client:
        for path, method in described:
            if "/stream/" in path:  # an endless answer: its own tests read it
                continue
            response = await client.request(method, re.sub(r"{\w+}", "c", path))
            assert response.status_code != 405, path
            assert "Nothing is at" not in response.text, path


def test_every_operation_has_a_name_a_tag_and_a_text() -> None:
    names = [op["operationId"] for _, _, op in operations()]
    assert len(set(names)) == len(names)
    for _, _, op in operations():
        assert re.fullmatch(r"(get|list|calculate|post|delete)_[a-z_]+", op["operationId"])
        assert op["tags"]
        assert op["summary"]
        assert op["description"]


def test_every_answer_has_an_example_and_every_problem_the_problem_schema() -> None:
    components = build().openapi()["components"]["schemas"]
    for path, _, op in operations():
        assert "500" in op["responses"], path
        for status, answer in op["responses"].items():
            if int(status) >= 400:
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemBody"}
                assert set(answer["content"]) == {"application/problem+json"}
            elif status == "200" and (texts := {"text/event-stream", "text/plain"} & set(answer["content"])):
                assert answer["content"][texts.pop()]["example"], path
            elif status == "200":
                assert example_of(answer["content"]["application/json"]["schema"], components), path
        if "requestBody" in op:
            assert example_of(op["requestBody"]["content"]["application/json"]["schema"], components), path


def test_every_reference_of_the_description_resolves() -> None:
    description = build().openapi()
    names = re.findall(r"'#/components/schemas/(\w+)'", str(description))
    assert set(names) <= set(description["components"]["schemas"])
    assert "HTTPValidationError" not in description["components"]["schemas"]


def test_every_example_fits_its_model() -> None:
    rooms = (
        responses,
        analytics_responses,
        attribution_responses,
        collector_responses,
        data_responses,
        explain_responses,
        ingest_responses,
        live_responses,
        run_responses,
        budget_responses,
        lift_responses,
        fit_responses,
        paths_responses,
        sums_responses,
        unattributed_responses,
        funnel_responses,
        letter_responses,
    )
    found = [value for room in rooms for value in vars(room).values() if isinstance(value, type)]
    models = {m for m in found if issubclass(m, BaseModel)}
    checked = 0
    for model in models:
        example = responses.example_of(model)
        if example is not None:
            model.model_validate(example)
            checked += 1
    assert checked >= 20


async def test_the_models_are_those_of_the_registry() -> None:
    async with client_of(build()) as client:
        answer = (await client.get("/api/v1/attribution/models")).json()["models"]
    assert [(m["id"], m["formula"], m["aliases"]) for m in answer] == [
        (m.model_id, m.formula, list(m.aliases)) for m in MODELS
    ]
    parameters = {m["id"]: {p["name"]: p["default"] for p in m["parameters"]} for m in answer}
    assert parameters["time_decay"] == {"lookback_days": "90", "half_life_days": "7"}
    assert parameters["custom"]["custom_weights"] == "0.4, 0.2, 0.4"


async def test_docs_load_nothing_from_elsewhere() -> None:
    async with client_of(build()) as client:
        page = await client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(links) == 5
        for link in links:
            assert "//" not in link
            if link != "data:,":
                answer = await client.get(f"/{link}")
                assert (answer.status_code, len(answer.content) > 100) == (200, True)
        assert "<script>" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "//" not in (await client.get("/static/docs.js")).text.replace("// ", "")


def test_the_vendored_page_keeps_its_licence() -> None:
    static = files("api") / "static"
    assert "Apache License" in (static / "swagger-ui.LICENSE.txt").read_text(encoding="utf-8")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert "@import" not in (static / name).read_text(encoding="utf-8")[:2_000]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ATTRIBUTION_API_PORT", "eighty"),
        ("ATTRIBUTION_API_PORT", "70000"),
        ("ATTRIBUTION_API_REQUEST_TIMEOUT_S", "0"),
        ("ATTRIBUTION_API_DEFAULT_MODEL", "lst_touch"),
        ("ATTRIBUTION_DEFAULT_MODELS", "linear,lst_touch"),
        ("ATTRIBUTION_DEFAULT_MODELS", ""),
        ("ATTRIBUTION_LOOKBACK_WINDOW_DAYS", "-1"),
        ("ATTRIBUTION_HALF_LIFE_DAYS", "a week"),
        ("ATTRIBUTION_REPORTING_CURRENCY", "dollar"),
        ("ATTRIBUTION_FX_MAX_AGE_DAYS", "32"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
    ],
)
def test_a_wrong_setting_stops_with_field_value_and_example(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert name in message
    assert value.rsplit(",", maxsplit=1)[-1] in message
    assert f"Example: {name}={EXAMPLES[name]}" in message


def test_every_example_of_a_setting_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EXAMPLES.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.port, settings.default_models) == (8000, ("first_touch", "last_touch", "linear"))
    assert (settings.reporting_currency, settings.lookback_days, settings.half_life_days) == ("USD", 90, 7)


def test_the_command_says_what_is_wrong_and_exits_2(monkeypatch: pytest.MonkeyPatch) -> None:
    import typer  # noqa: PLC0415 - only the command's test needs it

    from cli import serve  # noqa: PLC0415 - see above

    app = typer.Typer()
    app.callback()(lambda: None)
    serve.register(app)
    result = CliRunner().invoke(app, ["api", "--port", "70000"])
    assert result.exit_code == 2
    assert "ATTRIBUTION_API_PORT=70000" in result.output
    monkeypatch.setenv("ATTRIBUTION_API_DEFAULT_MODEL", "nope")
    result = CliRunner().invoke(app, ["api"])
    assert result.exit_code == 2
    assert "valid models: first_touch" in result.output
