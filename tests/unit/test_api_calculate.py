"""``POST /api/v1/attribution/calculate`` answers what the library answers, and says what is wrong with a body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.attribution_responses import Calculation
from api.requests import MAX_TOUCHPOINTS, CalculateIn
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryStore
from attribution.models.registry import model_ids
from attribution.sdk import AttributionModelFactory

URL = "/api/v1/attribution/calculate"
T0 = datetime(2026, 5, 1, tzinfo=UTC)
OWN = {"last_non_direct": "direct_channels", "time_decay": "half_life_days", "custom": "custom_weights"}


def new_client() -> httpx.AsyncClient:
    app = create_app(ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets(), now=lambda: T0)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def post(body: Any) -> httpx.Response:
    async with new_client() as client:
        return await client.post(URL, json=body)


def body(**changes: Any) -> dict[str, Any]:
    """A right body with some fields changed; ``None`` takes a field away."""
    example: dict[str, Any] = {
        "customer_id": "c",
        "touchpoints": [
            {"id": "a", "timestamp": "2026-05-01T00:00:00Z", "channel": "Email", "cost": 1.5},
            {"id": "b", "timestamp": "2026-05-03T00:00:00Z", "channel": "Direct"},
            {"id": "c", "timestamp": "2026-05-05T00:00:00Z", "channel": "Display"},
        ],
        "conversion": {"timestamp": "2026-05-06T00:00:00Z", "value": 100.0},
        "models": ["linear"],
    }
    return {name: value for name, value in (example | changes).items() if value is not None}


MINUTES = st.integers(min_value=0, max_value=200 * 24 * 60)
AMOUNTS = st.one_of(
    st.decimals(min_value="-9000000000", max_value="9000000000", places=6).map(str),
    st.integers(min_value=-(10**9), max_value=10**9),
    st.floats(min_value=-1e6, max_value=1e6).map(lambda x: round(x, 4)),
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    channels = st.sampled_from(["Email", "direct", "Paid Search", "Social", "ü"])
    minutes = draw(st.lists(MINUTES, max_size=8))
    converted = draw(MINUTES)
    reached = st.integers(min_value=0, max_value=converted)
    milestones = draw(st.dictionaries(st.sampled_from(["lead_created", "opportunity_created"]), reached))
    return body(
        touchpoints=[
            {"id": f"t{i}", "timestamp": (T0 + timedelta(minutes=m)).isoformat(), "channel": draw(channels)}
            for i, m in enumerate(minutes)
        ],
        conversion={"timestamp": (T0 + timedelta(minutes=converted)).isoformat(), "value": draw(AMOUNTS)},
        models=draw(st.lists(st.sampled_from(model_ids()), min_size=1, max_size=4, unique=True)),
        milestones={name: (T0 + timedelta(minutes=m)).isoformat() for name, m in milestones.items()},
        lookback_days=draw(st.sampled_from([1, 7.5, 90])),
        half_life_days=draw(st.sampled_from([0.5, 7, 30])),
        custom_weights=draw(st.sampled_from([[0.1, 0.2, 0.7], [1, 0, 0], ["0.4", "0.2", "0.4"]])),
        direct_channels=draw(st.sampled_from([["Direct"], ["email", "DIRECT"]])),
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as found:
        yield found


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=bodies())
async def test_every_credit_is_the_library_s_to_the_bit(client: httpx.AsyncClient, asked: dict[str, Any]) -> None:
    response = await client.post(URL, json=asked)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert [r["model"] for r in answer["results"]] == asked["models"]
    for result in answer["results"]:
        own = OWN.get(result["model"])
        params = {"lookback_days": asked["lookback_days"]} | ({own: asked[own]} if own else {})
        expected = AttributionModelFactory.create_model(result["model"], **params).calculate_attribution(
            asked["touchpoints"],
            conversion_value=asked["conversion"]["value"],
            conversion_time=asked["conversion"]["timestamp"],
            milestones=asked["milestones"],
        )
        wanted = [c for c in expected.credits if c.touchpoint_id]
        assert [(c["touchpoint_id"], c["channel"], c["weight"], c["value_micros"]) for c in result["credits"]] == [
            (c.touchpoint_id, c.channel, c.weight, c.value_micros) for c in wanted
        ]
        assert result["fallback"] == (expected.fallback or None)
        assert Decimal(result["unattributed_value_micros"]) / 10**6 == expected.unattributed_value
        total = sum(c["value_micros"] for c in result["credits"]) + result["unattributed_value_micros"]
        assert total == expected.value_micros


@given(micros=st.integers(min_value=-(10**15), max_value=10**15))
def test_a_value_prints_as_its_exact_decimal_up_to_a_billion(micros: int) -> None:
    from api.responses import amount  # noqa: PLC0415 - the one thing under test

    assert Decimal(repr(amount(micros))) == Decimal(micros).scaleb(-6)


async def test_the_answer_has_the_documented_shape() -> None:
    answer = (await post(body())).json()
    assert set(answer) == {"customer_id", "currency", "results"}
    (result,) = answer["results"]
    assert result["credits"][0] == {
        "touchpoint_id": "a",
        "channel": "Email",
        "weight": 1 / 3,
        "value": 33.333334,
        "value_micros": 33333334,
    }
    assert result["unattributed_value"] == 0
    Calculation.model_validate(answer)


async def test_without_a_touch_in_the_window_everything_is_unattributed() -> None:
    (result,) = (await post(body(lookback_days=0.5))).json()["results"]
    assert (result["credits"], result["unattributed_value"]) == ([], 100.0)


async def test_an_alias_is_answered_under_the_model_s_id() -> None:
    answer = (await post(body(models=["position_based", "u_shaped"]))).json()
    assert [r["model"] for r in answer["results"]] == ["u_shaped"]


async def test_left_out_models_are_the_default_ones() -> None:
    answer = (await post(body(models=None))).json()
    assert [r["model"] for r in answer["results"]] == list(ApiSettings().default_models)


async def test_the_example_of_the_description_works() -> None:
    extra = CalculateIn.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    assert (await post(extra["example"])).status_code == 200


TOUCH = {"id": "a", "timestamp": "2026-05-01T00:00:00Z", "channel": "Email"}
CONVERSION = {"timestamp": "2026-05-06T00:00:00Z", "value": 1}


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"customer_id": None}, "customer_id", "required"),
        ({"customer_id": ""}, "customer_id", "at least 1"),
        ({"customer_id": 7}, "customer_id", "string"),
        ({"models": ["lst_touch"]}, "models.0", "last_touch"),
        ({"models": []}, "models", "at least 1"),
        ({"modles": ["linear"]}, "modles", "not permitted"),
        ({"currency": "usd"}, "currency", "pattern"),
        ({"conversion": {**CONVERSION, "value": "ten"}}, "conversion.value", "decimal number"),
        ({"conversion": {**CONVERSION, "value": True}}, "conversion.value", "decimal number"),
        ({"conversion": {**CONVERSION, "value": "1e400"}}, "conversion.value", "decimal number"),
        ({"conversion": {**CONVERSION, "value": "9223372036854.775808"}}, "conversion.value", "decimal number"),
        ({"conversion": {**CONVERSION, "timestamp": "yesterday"}}, "conversion.timestamp", "ISO-8601"),
        ({"conversion": {**CONVERSION, "timestamp": 0}}, "conversion.timestamp", "1970"),
        ({"conversion": {"value": 1}}, "conversion.timestamp", "required"),
        ({"touchpoints": {}}, "touchpoints", "list"),
        ({"touchpoints": [TOUCH, {**TOUCH, "channel": ""}]}, "touchpoints.1.channel", "at least 1"),
        ({"touchpoints": [{**TOUCH, "cost": "cheap"}]}, "touchpoints.0.cost", "decimal number"),
        ({"touchpoints": [{**TOUCH, "click": 1}]}, "touchpoints.0.click", "not permitted"),
        ({"touchpoints": [TOUCH, {**TOUCH, "channel": "Display"}]}, "touchpoints.1.id", "differ"),
        ({"milestones": {"lead_created": "2026-06-01"}}, "milestones.lead_created", "after the conversion"),
        ({"milestones": {"lead": "2026-05-01"}}, "milestones.lead.[key]", "lead_created"),
        ({"lookback_days": 0}, "lookback_days", "greater than or equal to"),
        ({"half_life_days": -1}, "half_life_days", "greater than or equal to"),
        ({"models": ["custom"], "custom_weights": [0, 0, 0]}, "custom_weights", ""),
        ({"models": ["custom"], "custom_weights": [1, 2]}, "custom_weights.2", "required"),
    ],
)
async def test_a_wrong_field_is_named_with_its_value_and_the_way_out(
    changes: dict[str, Any], field: str, word: str
) -> None:
    given_body = body() | changes
    response = await post({k: v for k, v in given_body.items() if v is not None})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    (error,) = (e for e in problem["errors"] if e["field"] == field)
    assert word in error["reason"]
    assert field in problem["detail"]


async def test_every_wrong_field_is_named_at_once() -> None:
    wrong = body(conversion={"timestamp": "x", "value": "y"}, models=["z"])
    fields = [e["field"] for e in (await post(wrong)).json()["errors"]]
    assert fields == ["conversion.timestamp", "conversion.value", "models.0"]


async def test_a_value_is_sent_back_and_a_long_one_is_cut() -> None:
    (error,) = (await post(body(models=["x" * 1_000]))).json()["errors"]
    assert error["value"].startswith("xxx")
    assert len(error["value"]) <= 101


@pytest.mark.parametrize(
    ("n", "status"), [(MAX_TOUCHPOINTS, 200), (MAX_TOUCHPOINTS + 1, 422)], ids=["at the limit", "above it"]
)
async def test_the_number_of_touchpoints_is_bounded(n: int, status: int) -> None:
    touches = [{"id": f"t{i}", "timestamp": 1_777_600_000 + i, "channel": "Email"} for i in range(n)]
    response = await post(body(touchpoints=touches, models=["linear"]))
    assert response.status_code == status
    if status == 200:
        assert len(response.json()["results"][0]["credits"]) == n


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"\\ud800": "\\udfff"}', "application/json", 422),
        (b'{"customer_id": "\\ud800"}', "application/json", 422),
        (b'{"customer_id": NaN}', "application/json", 422),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "application/merge-patch+json; charset=utf-8", 422),
    ],
)
async def test_a_body_that_is_no_json_object_is_a_problem(content: bytes, kind: str, status: int) -> None:
    async with new_client() as client:
        response = await client.post(URL, content=content, headers={"Content-Type": kind})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
