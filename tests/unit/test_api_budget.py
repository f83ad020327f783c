"""The budget over the API: curves from the store's sums, a plan to the micro, what is assumed is said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.budget_routes import whole
from api.settings import ApiSettings
from api.store import Meta
from api.testing import MemoryOffsets, MemoryStore
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion
from schemas.events import SpendEvent

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MONDAY = date(2026, 8, 31)
WEEKS = 12
FIRST_US = (MONDAY.toordinal() - date(1970, 1, 1).toordinal()) * DAY_US
PATH = f"/api/v1/analytics/budget?attribution_model=linear&start_date={MONDAY}&end_date=2026-11-22"


def store() -> MemoryStore:
    """Twelve weeks: search returns a root of what it costs, display little, direct costs nothing."""
    found = MemoryStore(facts=Meta(1, NOW, NOW, "abc"))
    attribute = Attributor(AttributionConfig(models=("linear",))).attribute
    for week in range(WEEKS):
        at_us = FIRST_US + (7 * week + 2) * DAY_US
        day = at_us // DAY_US
        spent = (100 + 40 * week) * 1_000_000
        for channel, cost, value in (
            ("search", spent, round(30_000 * spent**0.5)),
            ("display", 50_000_000, 10_000_000),
            ("direct", 0, 5_000_000),
        ):
            conversion = Conversion(f"{channel}{week}", "purchase", at_us, value, "USD")
            touches = [(at_us - 1, f"{channel}{week}", channel, "")]
            found.add_credits("c", attribute(FixedJourney(touches), conversion))
            if cost:
                found.add_spend([SpendEvent(f"{channel}{week}", day, channel, cost, "USD")])
    return found


async def get(path: str, accept: str = "application/json", memory: MemoryStore | None = None) -> httpx.Response:
    app = create_app(ApiSettings(), store=memory or store(), offsets=MemoryOffsets(), now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers={"Accept": accept})


async def test_money_goes_where_the_next_unit_brings_more() -> None:
    answer = (await get(PATH)).json()
    rows = {row["channel"]: row for row in answer["channels"]}

    assert answer["intervals"] == WEEKS
    assert rows.keys() == {"search", "display"}
    assert answer["left_out"] == ["direct"]
    assert rows["search"]["elasticity"] == pytest.approx(0.5, abs=0.01)
    assert not rows["search"]["is_assumed"]
    assert rows["display"]["is_assumed"]
    assert answer["warnings"] == ["display: its elasticity is assumed"]
    assert rows["search"]["planned_spend_micros"] > rows["search"]["spend_micros"]
    assert rows["display"]["planned_spend_micros"] == rows["display"]["spend_micros"] * 7 // 10
    assert answer["planned_revenue_micros"] > answer["revenue_micros"]
    assert len(answer["assumptions"]) >= 4


@pytest.mark.parametrize(("query", "total"), [("", None), ("&total=1000.000001", 1_000_000_001)])
async def test_a_plan_adds_up_to_the_micro(query: str, total: int | None) -> None:
    answer = (await get(PATH + query)).json()
    now = sum(row["spend_micros"] for row in answer["channels"])

    assert sum(row["planned_spend_micros"] for row in answer["channels"]) == answer["total_micros"] == (total or now)


async def test_a_plan_without_change_is_what_is_spent() -> None:
    answer = (await get(f"{PATH}&most_change=0")).json()

    assert all(row["planned_spend_micros"] == row["spend_micros"] for row in answer["channels"])


async def test_without_spend_there_is_no_plan_and_as_csv_a_header() -> None:
    empty = MemoryStore(facts=Meta(1, NOW, NOW, "abc"))
    answer: dict[str, Any] = (await get(PATH, memory=empty)).json()
    lines = (await get(PATH, accept="text/csv")).text.splitlines()

    assert (answer["channels"], answer["total_micros"]) == ([], 0)
    assert lines[0].startswith("channel,intervals,elasticity,")
    assert len(lines) == 3


@pytest.mark.parametrize("query", ["most_change=2", "total=0", "interval=hour", "total=1e-9"])
async def test_wrong_parameters_are_told(query: str) -> None:
    answer = await get(f"{PATH}&{query}")

    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


async def test_a_period_without_a_whole_week_is_told() -> None:
    answer = await get("/api/v1/analytics/budget?start_date=2026-11-17&end_date=2026-11-22")

    assert answer.status_code == 422
    assert "holds no whole week" in answer.text


def test_whole_weeks_begin_on_monday_and_lie_inside() -> None:
    assert whole(MONDAY, MONDAY + timedelta(days=13), "week") == [MONDAY, MONDAY + timedelta(days=7)]
    assert whole(MONDAY + timedelta(days=1), MONDAY + timedelta(days=13), "week") == [MONDAY + timedelta(days=7)]
    assert whole(MONDAY, MONDAY + timedelta(days=5), "week") == []
    assert whole(MONDAY, MONDAY, "day") == [MONDAY]
