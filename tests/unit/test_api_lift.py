"""Lift tests over the API: recorded as a whole or not at all, and a model's credit calibrated by them beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.settings import ApiSettings
from api.store import Meta
from api.testing import MemoryOffsets, MemoryStore
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIRST_US = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000
TESTS = "/api/v1/analytics/lift-tests"
REPORT = "/api/v1/analytics/lift?attribution_model=linear&start_date=2026-11-01&end_date=2026-11-20"
GEO = {
    "test_id": "geo",
    "channel": "email",
    "start_date": "2026-11-01",
    "end_date": "2026-11-10",
    "incremental_conversions": 50,
    "standard_error": 10,
}


def store() -> MemoryStore:
    """Twenty days: ten conversions of email a day, five of display."""
    found = MemoryStore(facts=Meta(1, NOW, NOW, "abc"))
    attribute = Attributor(AttributionConfig(models=("linear",))).attribute
    for day in range(20):
        for n in range(15):
            at_us, channel = FIRST_US + day * DAY_US + n + 1, "email" if n < 10 else "display"
            conversion = Conversion(f"{day}-{n}", "purchase", at_us, 1_000_000, "USD")
            found.add_credits("c", attribute(FixedJourney([(at_us - 1, f"t{day}-{n}", channel, "")]), conversion))
    return found


@pytest.fixture
def memory() -> MemoryStore:
    return store()


async def ask(memory: MemoryStore, method: str, path: str, **asked: Any) -> httpx.Response:
    app = create_app(ApiSettings(), store=memory, offsets=MemoryOffsets(), now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, **asked)


async def test_a_factor_of_the_test_s_days_is_applied_to_the_days_asked_for_beside_the_raw_credit(
    memory: MemoryStore,
) -> None:
    before = (await ask(memory, "GET", REPORT)).json()
    assert (before["coverage"], before["residual"]) == (0.0, 0.0)

    assert (await ask(memory, "POST", TESTS, json={"tests": [GEO]})).status_code == 201
    answer = (await ask(memory, "GET", REPORT)).json()
    email, display = answer["channels"]

    assert (email["channel"], email["credited"], email["tests"]) == ("email", 200.0, 1)
    assert email["factor"] == 0.5  # 50 caused, 100 credited in the ten days of the test
    assert email["calibrated"] == 100.0
    assert email["calibrated_low"] < 100.0 < email["calibrated_high"]
    assert (display["credited"], display["factor"], display["calibrated"]) == (100.0, None, None)
    assert answer["coverage"] == pytest.approx(2 / 3)
    assert answer["residual"] == pytest.approx(100.0)
    assert [c["credited"] for c in answer["channels"]] == [c["credited"] for c in before["channels"]]


async def test_a_test_is_replaced_by_its_id_and_taken_back(memory: MemoryStore) -> None:
    await ask(memory, "POST", TESTS, json={"tests": [GEO]})
    await ask(memory, "POST", TESTS, json={"tests": [{**GEO, "incremental_conversions": 100}]})
    (kept,) = (await ask(memory, "GET", TESTS)).json()["tests"]
    assert (kept["test_id"], kept["incremental_conversions"]) == ("geo", 100)

    assert (await ask(memory, "DELETE", f"{TESTS}/geo")).status_code == 204
    gone = await ask(memory, "DELETE", f"{TESTS}/geo")
    assert (gone.status_code, gone.json()["detail"]) == (404, "No lift test 'geo' is on record.")
    assert (await ask(memory, "GET", TESTS)).json() == {"tests": []}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"standard_error": 0}, "tests.1.standard_error"),
        ({"end_date": "2026-10-01"}, "tests.1"),
        ({"start_date": "1999-12-31"}, "tests.1.start_date"),
        ({"channel": ""}, "tests.1.channel"),
        ({"test_id": "geo"}, "tests"),
        ({"lift": 3}, "tests.1.lift"),
    ],
)
async def test_one_wrong_test_and_none_is_kept(memory: MemoryStore, wrong: dict[str, Any], field: str) -> None:
    answer = await ask(memory, "POST", TESTS, json={"tests": [GEO, {**GEO, "test_id": "other", **wrong}]})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert memory.lift_tests() == []


async def test_the_table_as_csv(memory: MemoryStore) -> None:
    await ask(memory, "POST", TESTS, json={"tests": [GEO]})
    text = (await ask(memory, "GET", REPORT, headers={"Accept": "text/csv"})).text

    assert text.splitlines()[0].startswith("channel,credited,tests,factor,")
    assert text.splitlines()[1].startswith("email,200.0,1,0.5,")
