"""Two readers of a ``calculate`` body: the quick one is never wider than the ordinary one, and both say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Request
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from api import attribution_responses as responses
from api import calculation, question
from api.app import create_app
from api.attribution_routes import build_router
from api.front import Api, UncoveredDependencyError, quick
from api.requests import CalculateIn
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryStore

URL = "/api/v1/attribution/calculate"
RIGHT: dict[str, Any] = {
    "customer_id": "c",
    "touchpoints": [
        {"id": "a", "timestamp": "2026-05-01T00:00:00Z", "channel": "Email", "cost": 1.5},
        {"id": "b", "timestamp": 1_777_700_000, "channel": "Direct", "campaign": "spring", "cost": "0.25"},
        {"id": "ü", "timestamp": 1_777_700_000_123.5, "channel": "Display", "cost": -1},
    ],
    "conversion": {"timestamp": "2026-05-06", "value": "100.000001"},
    "models": ["position_based", "linear", "custom", "w_shaped"],
    "currency": "EUR",
    "milestones": {"lead_created": "2026-05-02T10:00:00+02:00"},
    "lookback_days": 30,
    "half_life_days": 2.5,
    "custom_weights": [0.1, 2, 0.30],
    "direct_channels": ["Direct", "none"],
}
TOUCH: dict[str, Any] = {"id": "a", "timestamp": "2026-05-01", "channel": "Email"}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**25), max_value=10**25),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        ["USD", "USD\n", "usd", "1", " 1.5 ", "1e400", "١٢", "linear", "2026-01-01", "20260101", "", "x" * 257, "1_0"]
    ),
    st.sampled_from([0, -0.0, 1e-320, 9e12, -9e12, 9223372036854.775, 3650, 3650.0001, 10**11, 10**14]),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [1, 2, 3]),
    st.builds(lambda: ["linear"]),
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body that can be changed."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((*path, key), *leaves(item, (*path, key)))]


@st.composite
def changed_bodies(draw: st.DrawFn) -> bytes:
    """A right body with up to two places changed, taken away or added."""
    body = json.loads(json.dumps(RIGHT))
    for _ in range(draw(st.integers(min_value=0, max_value=2))):
        *parents, last = draw(st.sampled_from(leaves(body)))
        target = body
        for key in parents:
            target = target[key]
        action = draw(st.sampled_from(["change", "change", "change", "remove", "add"]))
        if action == "change":
            target[last] = draw(SCALARS)
        elif action == "remove":
            del target[last]
        elif isinstance(target, dict):
            target[draw(st.sampled_from(["x", "opportunity_created", "cost", "campaign", "id"]))] = draw(SCALARS)
        if not leaves(body):
            break
    return json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def ordinary(raw: bytes) -> question.Question | None:
    try:
        return question.of(CalculateIn.model_validate(json.loads(raw)))
    except (ValueError, ValidationError):
        return None


def raw(**changes: Any) -> bytes:
    return json.dumps(RIGHT | changes).encode()


@settings(deadline=None, max_examples=600)
@given(body=changed_bodies())
@example(body=raw(currency="USD\n"))
@example(body=raw(customer_id="\ud800"))
@example(body=raw(custom_weights=[True, 1, 1]))
@example(body=raw(custom_weights=[0.1, 10**30, 5e-324]))
@example(body=raw(lookback_days="7"))
@example(body=raw(milestones=None))
@example(body=raw(models=["linear"] * 51))
@example(body=raw(direct_channels=["x"] * 101))
@example(body=raw(lookback_days=3650.5))
@example(body=raw(half_life_days=3650.5))
@example(body=raw(touchpoints=[TOUCH | {"cost": 9.3e12}]))
@example(body=raw(touchpoints=[TOUCH | {"campaign": "x" * 257}]))
@example(body=raw(touchpoints=[TOUCH | {"channel": "x" * 257}]))
@example(body=raw(touchpoints=[TOUCH] * 10_001))
@example(body=b'{"customer_id": "a", ' + raw()[1:])
def test_what_the_quick_reader_accepts_the_ordinary_one_reads_as_the_same_question(body: bytes) -> None:
    found = question.read(body)
    if found is not None:
        assert found == ordinary(body)
        assert repr(found.rules) == repr(question.of(CalculateIn.model_validate(json.loads(body))).rules)


@given(
    cost=st.one_of(st.floats(-1e9, 1e9), st.integers(-(10**9), 10**9), st.decimals(-999, 999, places=6).map(str)),
    at=st.one_of(st.integers(1, 10**15), st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(str)),  # noqa: DTZ001 - without a zone it is UTC
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=256),
)
def test_an_ordinary_body_is_read_the_quick_way(cost: Any, at: Any, name: str) -> None:
    touch = {"id": name, "timestamp": at, "channel": name, "cost": cost}
    body = raw(touchpoints=[touch], customer_id=name)
    assert question.read(body) == ordinary(body) != None  # noqa: E711 - a chain of comparisons


def test_the_answer_has_the_fields_of_its_description_and_nothing_else() -> None:
    for struct, model in (
        (calculation._Credit, responses.CalculatedCredit),
        (calculation._Result, responses.CalculatedResult),
        (calculation._Calculation, responses.Calculation),
    ):
        assert list(struct.__struct_fields__) == list(model.model_fields)
    asked = question.read(raw())
    assert asked is not None
    answer = calculation.calculate(asked, ApiSettings())
    assert json.loads(answer) == responses.Calculation.model_validate_json(answer).model_dump(mode="json")


def new_client(app: Api | None = None) -> httpx.AsyncClient:
    app = app or create_app(
        ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets(), now=lambda: datetime(2026, 5, 1, tzinfo=UTC)
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


LONG = [{"id": f"t{i}", "timestamp": 1_777_600_000 + i, "channel": "Email"} for i in range(1_000)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"touchpoints": LONG},
        {"customer_id": ""},
        {"touchpoints": [*LONG, {}]},
        {"touchpoints": [*RIGHT["touchpoints"], {**RIGHT["touchpoints"][0], "channel": "Radio"}]},
        {"milestones": {"lead_created": "2026-06-01"}},
        {"custom_weights": [0, 0, 0]},
        {"custom_weights": [1e-12, 0, 0]},
        {"conversion": {"timestamp": "never", "value": 10**20}},
    ],
)
async def test_both_ways_give_the_same_answer_or_the_same_problem(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_client() as client:
        quickly = await client.post(URL, json=RIGHT | changes)
        monkeypatch.setattr(question, "read", lambda _: None)
        slowly = await client.post(URL, json=RIGHT | changes)
    assert quickly.status_code == slowly.status_code
    assert quickly.headers["content-type"] == slowly.headers["content-type"]
    told = [{name: value for name, value in r.json().items() if name != "instance"} for r in (quickly, slowly)]
    assert told[0] == told[1]
    if quickly.status_code != 200:
        assert all(error["field"] and error["reason"] for error in told[0]["errors"])


async def secret(request: Request) -> None:
    """A check that somebody may add."""


@pytest.mark.parametrize(
    "include", [lambda app: app.include_router(build_router(), dependencies=[Depends(secret)])], ids=["on the router"]
)
async def test_a_check_that_the_quick_way_would_skip_stops_the_start(include: Callable[[Api], None]) -> None:
    app = Api()
    include(app)
    with pytest.raises(UncoveredDependencyError, match="dependency secret"):
        await new_client(app).get("/")


async def test_a_check_inside_a_dependency_is_found_too() -> None:
    async def outer(_: None = Depends(secret)) -> None:
        """Needs another one."""

    async def answer(_body: bytes, _request: Request) -> Response | None:
        raise AssertionError

    router, app = APIRouter(), Api()

    @router.get("/x", dependencies=[Depends(outer)])
    @quick(answer, covers=(outer,))
    async def endpoint() -> None:
        """Asked by nobody."""

    app.include_router(router)
    with pytest.raises(UncoveredDependencyError, match="/x"):
        await new_client(app).get("/")


async def test_calculate_has_a_quick_way_and_it_is_the_only_one() -> None:
    app = create_app(ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets())
    assert app.quick_paths == {("POST", URL)}


def test_the_model_behind_the_description_is_not_the_one_that_answers() -> None:
    assert not issubclass(calculation._Calculation, BaseModel)
