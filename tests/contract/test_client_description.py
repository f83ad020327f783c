"""The Python client and the real OpenAPI document: routes, parameters, bodies and answers are the same."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import make_dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest

from api import live_responses
from api.app import create_app
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryProducer, MemoryStore
from attribution_client import live
from attribution_client.calls import Call
from attribution_client.endpoint import Endpoint, Pages
from attribution_client.endpoints import Endpoints
from attribution_client.models.live import LiveConversion
from attribution_client.parameters import Live
from described import differences, resolved

#: Protocols of others: their own clients speak them.
COLLECTOR: Final = re.compile(r"/v1/|/mp/|/debug/mp/|/metrics$")
#: What the methods need to build a call.
EVENT: Final = {"event_id": "e", "customer_id": "c"}
GIVEN: Final[dict[str, dict[str, Any]]] = {
    "calculate": {
        "customer_id": "c",
        "touchpoints": [],
        "conversion": {"timestamp": "2026-11-14T08:00:00Z", "value": 1},
        "models": ["linear"],
        "currency": "USD",
        "milestones": {},
        "lookback_days": 1,
        "half_life_days": 1,
        "custom_weights": ["1", "0", "0"],
        "direct_channels": ["Direct"],
    },
    "calculate_batch": {"journeys": []},
    "run_entry": {"run": "r"},
    "compare_runs": {"run": "r", "with_": "s"},
    "promote": {"run": "r", "expected_active": 1, "frozen": True},
    "results": {"customer_id": "c", "attribution_model": "linear", "limit": 1, "cursor": "x"},
    "explain": {"conversion_id": "v"},
    "customer_journey": {"customer_id": "c", "models": ["linear"], "limit": 1, "cursor": "x"},
    **{f"send_{kind}": {"events": [EVENT]} for kind in ("touchpoints", "conversions", "spend", "identities")},
    "erase": {"customer_id": "c", "request_id": "r"},
    "login": {"user": "u", "password": "p", "key": "k"},
    "create_key": {"role": "viewer", "scopes": ["reports"], "label": "x", "expires_at": None},
    "revoke_key": {"key_id": "k"},
    "record_lift_tests": {"tests": [{"test_id": "g", "start_date": date(2026, 3, 1)}]},
    "drop_lift_test": {"test_id": "g"},
    "begin_run": {
        "name": "n",
        "half_life_days": 1,
        "lookback_days": 1,
        "exclude_channels": ["x"],
        "models": ["linear"],
        "source": "facts",
        "from_": datetime(2026, 3, 1, tzinfo=UTC),
        "to": datetime(2026, 3, 2, tzinfo=UTC),
    },
    "cancel_run": {"run": "r"},
    "drop_run": {"run": "r"},
    "run_difference": {"run": "r", "with_": "s"},
    "dead_letter": {"letter": "0@1"},
    "retry_dead_letters": {"letters": ["0@1"], "reason": "empty", "value": "{}", "again": True},
    "create_user": {"name": "u", "password": "p"},
    "change_user": {"name": "u", "role": "viewer", "password": "p", "disabled": True},
}
OPTIONAL: Final = {"expires_at"}  # left out above: it is a time, which the answers' tests send

DESCRIPTION: Final = create_app(
    ApiSettings(insecure_dev=True), store=MemoryStore(), offsets=MemoryOffsets(), producer=MemoryProducer()
).openapi()
COMPONENTS: Final = DESCRIPTION["components"]["schemas"]
OPERATIONS: Final = {
    (method.upper(), path): operation
    for path, item in DESCRIPTION["paths"].items()
    for method, operation in item.items()
    if not COLLECTOR.match(path)
}
METHODS: Final = {name: part for name, part in vars(Endpoints).items() if isinstance(part, Endpoint)}


def call_of(name: str) -> Call[Any]:
    built: Call[Any] = METHODS[name].build(**GIVEN.get(name, {}))
    return built


def test_the_client_has_every_operation_and_no_other() -> None:
    have = {(call_of(name).method, call_of(name).path) for name in METHODS} | {("GET", live.PATH)}
    assert have <= OPERATIONS.keys(), "a route was renamed or removed"
    missing = OPERATIONS.keys() - have
    assert not missing, f"give the client a line in attribution_client/endpoints.py for {sorted(missing)}"


@pytest.mark.parametrize("name", METHODS)
def test_parameters_are_those_of_the_description(name: str) -> None:
    call = call_of(name)
    described = OPERATIONS[call.method, call.path].get("parameters", [])
    in_path = {p["name"] for p in described if p["in"] == "path"}
    in_query = {p["name"] for p in described if p["in"] == "query"}
    assert set(re.findall(r"{(\w+)}", call.path)) == set(call.ids) == in_path
    named = set(inspect.signature(METHODS[name].build).parameters)
    parameters = {n.rstrip("_") for n in named}
    assert parameters & (in_query | in_path) == in_query | in_path
    if call.method == "GET":
        assert parameters == in_query | in_path
        assert set(METHODS[name].build(**dict.fromkeys(named, "x")).query) == in_query


@pytest.mark.parametrize("name", [n for n in METHODS if n in GIVEN and not n.startswith(("send_", "calculate_batch"))])
def test_bodies_have_the_fields_of_the_description_and_all_of_them(name: str) -> None:
    call = call_of(name)
    if call.body is None:
        return
    schema = OPERATIONS[call.method, call.path]["requestBody"]["content"]["application/json"]["schema"]
    properties = set(resolved(schema, COMPONENTS)["properties"])
    assert set(json.loads(call.body)) | (OPTIONAL & properties) == properties
    assert properties <= {n.rstrip("_") for n in inspect.signature(METHODS[name].build).parameters}


@pytest.mark.parametrize("name", METHODS)
def test_answers_are_read_field_by_field(name: str) -> None:
    call = call_of(name)
    answers = OPERATIONS[call.method, call.path]["responses"]
    good = [a.get("content", {}) for status, a in answers.items() if status.startswith("2")]
    schemas = [content["application/json"]["schema"] for content in good if "application/json" in content]
    if call.answer is type(None):
        assert schemas == []
        return
    assert schemas
    for schema in schemas:
        assert list(differences(call.answer, schema, COMPONENTS, call.answer.__name__)) == []


@pytest.mark.parametrize("name", METHODS)
def test_only_what_may_be_repeated_is(name: str) -> None:
    """Questions, events and tests that count once by their id, and requests whose id follows from their content."""
    call = call_of(name)
    harmless = ("/api/v1/data/", "/api/v1/attribution/", "/api/v1/analytics/")
    repeatable = call.method == "GET" or (call.method == "POST" and call.path.startswith(harmless))
    assert call.is_repeatable == (repeatable and name not in {"health", "ready"})


def test_pages_are_those_with_a_cursor() -> None:
    paged = {part.build for part in vars(Endpoints).values() if isinstance(part, Pages)}
    with_cursor = {m.build for m in METHODS.values() if "cursor" in inspect.signature(m.build).parameters}
    assert paged == with_cursor


def test_a_renamed_a_new_and_a_retyped_field_are_found() -> None:
    """The comparison itself can fail."""
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}
    for fields, says in (
        ([("a", str)], "X.b: the client does not have it"),
        ([("a", int), ("b", int)], "X.a: string  is read as int"),
        ([("a", str), ("b", int)], "X.b: may be left out, and the client requires it"),
        ([("a", str), ("c", int)], "X.c: the description does not have it"),
    ):
        assert says in list(differences(make_dataclass("X", fields), schema, {}, "X"))
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert list(differences(str, nullable, {}, "X")) == ["X: may be null, and the client does not know"]
    assert list(differences(str | None, nullable, {}, "X")) == []


def test_the_stream_s_parameters_and_events_are_those_of_the_service() -> None:
    """``after`` says the same as the header that the client sends."""
    described = {(p["in"], p["name"]) for p in OPERATIONS["GET", live.PATH]["parameters"]}
    assert described == {("query", name) for name in (*Live.__annotations__, "after")} | {("header", "last-event-id")}
    schema = live_responses.LiveConversion.model_json_schema(mode="serialization")
    assert list(differences(LiveConversion, schema, schema["$defs"], "LiveConversion")) == []
