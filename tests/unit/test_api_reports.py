"""Reads: channel performance, journeys, results and status, over the in-memory store."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import cursor
from api.app import create_app
from api.errors import Problem
from api.freshness import is_current
from api.offsets import Bounds
from api.report import CSV_COLUMNS, channel, to_csv, totals, wants_csv
from api.settings import ApiSettings
from api.store import ChannelRow, EventKey, Meta, Progress, ResultKey, Store
from api.testing import MemoryOffsets, MemoryStore, at
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion, Touch
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = int(NOW.timestamp()) // 86_400
TODAY_US = DAY * DAY_US
PERFORMANCE = "/api/v1/analytics/channel-performance"


def demo_store() -> MemoryStore:
    """One customer: two touches, a purchase of 100 USD yesterday, one of 7 USD that no touch precedes, spend."""
    touches: list[Touch] = [
        (TODAY_US - 3 * DAY_US, "t1", "Paid Search", "brand"),
        (TODAY_US - 2 * DAY_US, "t2", "=Email", ""),
    ]
    attributor = Attributor(AttributionConfig(models=("linear", "last_touch")))
    store = MemoryStore(facts=Meta(1, NOW - timedelta(seconds=5), NOW - timedelta(seconds=90), "abc"))
    sold = Conversion("purchase:o1", "purchase", TODAY_US - DAY_US, 100_000_000, "USD")
    alone = Conversion("v2", "purchase", TODAY_US - 5 * DAY_US, 7_000_000, "USD")
    foreign = Conversion("v3", "purchase", TODAY_US - DAY_US, 9_000_000, "EUR")
    for conversion in (sold, alone, foreign):
        store.add_credits("c/1", attributor.attribute(FixedJourney(touches, rev=3), conversion))
    store.add_touchpoints(
        TouchpointEvent(
            event_id=t[1], customer_id="c/1", occurred_at_us=t[0], channel=t[2], campaign=t[3] or None, cost_micros=5
        )
        for t in touches
    )
    store.add_conversions(
        ConversionWireEvent(
            event_id=event_id, customer_id="c/1", occurred_at_us=c.at_us, order_id=order, value_micros=c.value_micros
        )
        for event_id, order, c in (("v1", "o1", sold), ("v2", None, alone), ("v3", None, foreign))
    )
    store.add_spend([SpendEvent("s", DAY - 1, "Paid Search", 20_000_000, "USD")])
    return store


def client_of(store: Store | None = None, offsets: MemoryOffsets | None = None) -> httpx.AsyncClient:
    app = create_app(ApiSettings(), store=store or demo_store(), offsets=offsets or MemoryOffsets(), now=lambda: NOW)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def get(path: str, store: Store | None = None, **headers: str) -> httpx.Response:
    async with client_of(store) as client:
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_performance_is_sums_with_ratios_of_sums() -> None:
    answer = (await get(f"{PERFORMANCE}?attribution_model=linear")).json()
    rows = {r["channel"]: r for r in answer["channels"]}
    assert list(rows) == ["Paid Search", "=Email", "unattributed"]
    assert next(iter(answer["channels"][0])) == "channel"
    search = rows["Paid Search"]
    assert (search["conversions"], search["revenue"], search["spend"]) == (0.5, 50.0, 20.0)
    assert (search["cpa"], search["roas"], search["roi"]) == (40.0, 2.5, 1.5)
    assert (rows["=Email"]["cpa"], rows["=Email"]["roas"], rows["=Email"]["roi"]) == (0.0, None, None)
    assert (rows["unattributed"]["revenue"], rows["unattributed"]["touchpoints"]) == (7.0, 0)
    assert answer["totals"]["revenue_micros"] == 107_000_000
    assert answer["totals"]["roi"] == pytest.approx((107 - 20) / 20)
    assert answer["totals"]["cpa"] == 10.0
    assert answer["other_currencies"] == ["EUR"]


async def test_other_currencies_are_converted_at_the_rate_of_their_day() -> None:
    """9 EUR of yesterday's conversion at 1.5; today's rate plays no part."""
    store = demo_store()
    yesterday = NOW.date() - timedelta(days=1)
    store.add_rates([(yesterday, "USD", Decimal("1.5")), (NOW.date(), "USD", Decimal(3))], base="EUR")
    answer = (await get(f"{PERFORMANCE}?attribution_model=linear", store)).json()
    assert answer["totals"]["revenue_micros"] == 107_000_000 + 13_500_000
    assert (answer["converted_currencies"], answer["other_currencies"]) == (["EUR"], [])
    answer = (await get(f"{PERFORMANCE}?attribution_model=linear&currency=EUR", store)).json()
    assert answer["totals"]["spend_micros"] == 13_333_333
    assert answer["totals"]["roas"] == pytest.approx((9 + 100 / 1.5) / (20 / 1.5))
    assert (answer["converted_currencies"], answer["other_currencies"]) == (["USD"], ["USD"])


async def test_a_rate_that_is_too_old_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    store = demo_store()
    store.add_rates([(NOW.date() - timedelta(days=4), "USD", Decimal("1.5"))], base="EUR")
    assert (await get(PERFORMANCE, store)).json()["converted_currencies"] == ["EUR"]
    monkeypatch.setenv("ATTRIBUTION_FX_MAX_AGE_DAYS", "2")
    answer = (await get(PERFORMANCE, store)).json()
    assert (answer["converted_currencies"], answer["other_currencies"]) == ([], ["EUR"])


async def test_cohorts_count_credits_on_the_day_of_the_touch() -> None:
    """The touches of the purchase lie two and three days back; what nobody touched stays at its conversion."""
    day = NOW.date() - timedelta(days=3)
    rows = {}
    for basis in ("conversion_day", "touch_day"):
        query = f"attribution_model=linear&start_date={day}&end_date={day}&basis={basis}"
        answer = (await get(f"{PERFORMANCE}?{query}")).json()
        assert answer["basis"] == basis
        rows[basis] = {r["channel"]: r["revenue"] for r in answer["channels"]}
    assert rows == {
        "conversion_day": {"unattributed": 0.0},
        "touch_day": {"Paid Search": 50.0, "unattributed": 0.0},
    }
    day = NOW.date() - timedelta(days=5)
    answer = (await get(f"{PERFORMANCE}?start_date={day}&end_date={day}&basis=touch_day")).json()
    assert {r["channel"]: r["revenue"] for r in answer["channels"]} == {"unattributed": 7.0}


async def test_spend_that_lags_is_flagged() -> None:
    yesterday = str(NOW.date() - timedelta(days=1))
    answer = (await get(PERFORMANCE)).json()
    through = {r["channel"]: r["spend_through"] for r in answer["channels"]}
    assert through == {"Paid Search": yesterday, "=Email": None, "unattributed": None}
    assert answer["spend_behind"] == ["Paid Search"]
    assert (await get(f"{PERFORMANCE}?end_date={yesterday}")).json()["spend_behind"] == []
    lines = csv.DictReader(io.StringIO((await get(PERFORMANCE, accept="text/csv")).text))
    assert [line["spend_through"] for line in lines] == [yesterday, "", ""]


async def test_performance_says_what_it_stands_on() -> None:
    answer = (await get(f"{PERFORMANCE}?attribution_model=position_based&currency=EUR")).json()
    assert answer["meta"] == {
        "run_id": 1,
        "as_of": "2026-11-24T11:59:55Z",
        "watermark": "2026-11-24T11:58:30Z",
        "lag_seconds": 90.0,
        "model": "u_shaped",
        "model_version": "abc",
        "currency": "EUR",
    }


async def test_left_out_the_period_is_30_days_up_to_today() -> None:
    answer = (await get(PERFORMANCE)).json()
    assert (answer["start_date"], answer["end_date"]) == ("2026-10-26", "2026-11-24")
    answer = (await get(f"{PERFORMANCE}?end_date=2026-03-01")).json()
    assert (answer["start_date"], answer["end_date"]) == ("2026-01-31", "2026-03-01")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("start_date=2026-02-02&end_date=2026-02-01", ["start_date", "end_date"]),
        ("start_date=2020-01-01&end_date=2026-02-01", ["start_date"]),
        ("end_date=0001-01-05", ["end_date"]),
        ("start_date=yesterday", ["start_date"]),
        ("attribution_model=lst", ["attribution_model"]),
        ("currency=usd", ["currency"]),
        ("basis=touchday", ["basis"]),
        ("conversion_type=", ["conversion_type"]),
    ],
)
async def test_a_wrong_parameter_is_named(query: str, fields: list[str]) -> None:
    response = await get(f"{PERFORMANCE}?{query}")
    assert response.status_code == 422
    assert [e["field"] for e in response.json()["errors"]] == fields
    assert all("value" in e and e["reason"] for e in response.json()["errors"])


async def test_csv_holds_the_same_rows_and_no_formula() -> None:
    response = await get(PERFORMANCE, accept="text/csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    plain = (await get(PERFORMANCE)).json()["channels"]
    assert [r["channel"] for r in rows] == ["Paid Search", "'=Email", "unattributed"]
    assert [int(r["revenue_micros"]) for r in rows] == [r["revenue_micros"] for r in plain]
    assert [r["roi"] for r in rows] == ["1.5", "", ""]
    assert response.headers["x-meta-run-id"] == "1"
    assert response.headers["x-meta-lag-seconds"] == "90.0"


SUMS = st.builds(
    ChannelRow,
    channel=st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1, max_size=12),
    conversions=st.floats(min_value=0, max_value=1e6),
    revenue_micros=st.integers(min_value=-(2**50), max_value=2**50),
    spend_micros=st.integers(min_value=0, max_value=2**50),
    touchpoints=st.integers(min_value=0, max_value=10**9),
)


@given(rows=st.lists(SUMS, max_size=6))
def test_totals_are_ratios_of_sums(rows: list[ChannelRow]) -> None:
    found = totals(rows)
    revenue, spend = sum(r.revenue_micros for r in rows), sum(r.spend_micros for r in rows)
    assert (found.revenue_micros, found.spend_micros) == (revenue, spend)
    assert (found.roas is None) == (found.roi is None) == (spend == 0)
    assert (found.cpa is None) == (found.conversions == 0)
    if found.roas is not None and found.roi is not None:
        assert found.roas == pytest.approx(revenue / spend)
        assert found.roi == pytest.approx(found.roas - 1, rel=1e-9, abs=1e-9)


@given(rows=st.lists(SUMS, max_size=6))
def test_csv_reads_back_and_never_begins_a_formula(rows: list[ChannelRow]) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(channel(r) for r in rows), newline="")))
    assert [tuple(line) for line in lines] == [CSV_COLUMNS] * len(rows)
    assert [int(line["spend_micros"]) for line in lines] == [r.spend_micros for r in rows]
    assert [line["channel"].removeprefix("'") for line in lines] == [r.channel.removeprefix("'") for r in rows]
    assert not any(line["channel"].startswith(("=", "+", "-", "@", "\t")) for line in lines)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, False),
        ("*/*", False),
        ("text/csv", True),
        ("text/*", True),
        ("application/json, text/csv", False),
        ("text/csv, application/json;q=0.9", True),
        ("text/html, */*;q=0.1", False),
        ("text/csv;q=x, */*", False),
        ("TEXT/CSV", True),
    ],
)
def test_the_most_exact_range_decides(accept: str | None, expected: bool) -> None:
    assert wants_csv(accept) is expected


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0, text/csv;q=0"])
async def test_nothing_acceptable_is_406(accept: str) -> None:
    with pytest.raises(Problem):
        wants_csv(accept)
    assert (await get(PERFORMANCE, accept=accept)).status_code == 406


async def test_an_unchanged_report_is_304_and_a_changed_one_is_not() -> None:
    store = demo_store()
    first = await get(PERFORMANCE, store)
    tag = first.headers["etag"]
    store.facts = Meta(1, NOW, NOW, "abc")
    again = await get(PERFORMANCE, store, if_none_match=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["etag"], again.headers["x-meta-lag-seconds"]) == (tag, "0.0")
    assert (await get(PERFORMANCE, store, if_none_match=tag, accept="text/csv")).status_code == 200
    assert (await get(f"{PERFORMANCE}?currency=EUR", store, if_none_match=tag)).status_code == 200
    assert (await get(f"{PERFORMANCE}?basis=touch_day", store, if_none_match=tag)).status_code == 200
    store.add_spend([SpendEvent("s2", DAY - 1, "Paid Search", 20_000_001, "USD")])
    changed = await get(PERFORMANCE, store, if_none_match=tag)
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


@pytest.mark.parametrize(
    ("held", "expected"),
    [(None, False), ("*", True), ('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ('"b"', False), ("", False)],
)
def test_tags_are_compared_weakly(held: str | None, expected: bool) -> None:
    assert is_current(held, 'W/"a"') is expected


async def pages(path: str, name: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    async with client_of() as client:
        while True:
            answer = (await client.get(f"{path}?limit={limit}{after}")).json()
            assert 0 < len(answer[name]) <= limit
            found += answer[name]
            if answer["next_cursor"] is None:
                return found
            after = f"&cursor={answer['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_pages_hold_everything_once(limit: int) -> None:
    results, journey = (
        f"/api/v1/{p}/{quote('c/1', safe='')}" for p in ("attribution/results", "analytics/customer-journey")
    )
    assert [(r["conversion_id"], r["model"]) for r in await pages(results, "results", limit)] == [
        ("v3", "linear"),
        ("v3", "last_touch"),
        ("purchase:o1", "linear"),
        ("purchase:o1", "last_touch"),
        ("v2", "linear"),
        ("v2", "last_touch"),
    ]
    assert [e["event_id"] for e in await pages(journey, "events", limit)] == ["v2", "t1", "t2", "v1", "v3"]


async def test_results_can_be_of_one_model() -> None:
    answer = (await get("/api/v1/attribution/results/c%2F1?attribution_model=linear")).json()
    assert {r["model"] for r in answer["results"]} == {"linear"}
    sold = answer["results"][1]
    assert (sold["value"], sold["currency"], sold["rev"]) == (100.0, "USD", 3)
    assert [(c["touchpoint_id"], c["position"], c["value"]) for c in sold["credits"]] == [
        ("t1", 1, 50.0),
        ("t2", 2, 50.0),
    ]
    alone = answer["results"][2]
    assert (alone["credits"], alone["unattributed_value_micros"]) == ([], 7_000_000)


@pytest.mark.parametrize("limit", [2, 500])
async def test_results_as_csv_hold_every_credit_of_the_json_page(limit: int) -> None:
    path = f"/api/v1/attribution/results/c%2F1?limit={limit}"
    page = (await get(path)).json()
    answer = await get(path, accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers.get("x-next-cursor") == page["next_cursor"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    for result in page["results"]:
        own = [x for x in lines if (x["conversion_id"], x["model"]) == (result["conversion_id"], result["model"])]
        assert sum(int(x["value_micros"]) for x in own) == result["value_micros"]
        assert {(x["conversion_value"], x["converted_at"]) for x in own} == {
            (str(result["value"]), result["converted_at"])
        }
        named = [(x["touchpoint_id"], float(x["weight"])) for x in own if x["touchpoint_id"]]
        assert named == [(c["touchpoint_id"], c["weight"]) for c in result["credits"]]
    assert len({(x["conversion_id"], x["model"]) for x in lines}) == len(page["results"])
    assert any(x["channel"].startswith("'=") for x in lines)


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
async def test_results_that_did_not_change_are_304(accept: str) -> None:
    path, store = "/api/v1/attribution/results/c%2F1", demo_store()
    tag = (await get(path, store, accept=accept)).headers["etag"]
    again = await get(path, store, accept=accept, if_none_match=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = "text/csv" if accept == "application/json" else "application/json"
    assert (await get(path, store, accept=other, if_none_match=tag)).status_code == 200
    store.stored["c/1"] = [replace(r, rev=r.rev + 1) for r in store.stored["c/1"]]
    assert (await get(path, store, accept=accept, if_none_match=tag)).status_code == 200
    assert (await get(path, store, accept="image/png")).status_code == 406


async def test_a_journey_shows_what_each_touch_earned_when_asked() -> None:
    path = "/api/v1/analytics/customer-journey/c%2F1"
    plain = (await get(path)).json()
    assert all(e["credits"] is None for e in plain["events"])
    events = {e["event_id"]: e for e in (await get(f"{path}?models=linear, last_touch")).json()["events"]}
    assert {(c["model"], c["conversion_id"]): c["value"] for c in events["t2"]["credits"]} == {
        ("linear", "purchase:o1"): 50.0,
        ("last_touch", "purchase:o1"): 100.0,
        ("linear", "v3"): 4.5,
        ("last_touch", "v3"): 9.0,
    }
    assert [c["value"] for c in events["v2"]["credits"]] == [7.0, 7.0]
    assert events["v1"]["credits"] == []
    assert (events["v1"]["conversion_id"], events["t1"]["campaign"]) == ("purchase:o1", "brand")


async def test_an_unknown_customer_is_an_empty_answer() -> None:
    assert (await get("/api/v1/attribution/results/nobody")).json()["results"] == []
    assert (await get("/api/v1/analytics/customer-journey/nobody?models=linear")).json()["events"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/attribution/results/c?limit=0",
        "/api/v1/attribution/results/c?limit=501",
        "/api/v1/attribution/results/c?cursor=x",
        "/api/v1/attribution/results/c?attribution_model=x",
        "/api/v1/analytics/customer-journey/c?limit=1001",
        "/api/v1/analytics/customer-journey/c?models=linear,x",
        f"/api/v1/analytics/customer-journey/c?models={','.join(['linear'] * 21)}",
        f"/api/v1/attribution/results/{'c' * 257}",
    ],
)
async def test_a_wrong_read_is_a_problem_with_its_field(path: str) -> None:
    response = await get(path)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] in path.replace("results/ccc", "customer_id")


TIMES = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@given(when=TIMES, first=st.text(), second=st.text())
def test_a_cursor_reads_back_and_fits_its_own_endpoint_only(when: datetime, first: str, second: str) -> None:
    result, event = ResultKey(when, first, second), EventKey(when, first, second)
    assert cursor.decode_result(cursor.encode(result)) == result
    assert cursor.decode_event(cursor.encode(event)) == event
    with pytest.raises(Problem):
        cursor.decode_event(cursor.encode(result))


@given(text=st.text(max_size=40))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(Problem):
        cursor.decode_result(text)


async def test_status_joins_what_workers_and_kafka_know() -> None:
    store = demo_store()
    store.read = [
        Progress("attribution.conversions", 0, 10, at(TODAY_US), at(TODAY_US)),
        Progress("attribution.touchpoints", 0, 70, at(TODAY_US), at(TODAY_US)),
    ]
    store.refused = Counter({"undecodable": 2, "invalid_value": 5})
    ends = {
        ("attribution.conversions", 0): Bounds(0, 10),
        ("attribution.touchpoints", 0): Bounds(90, 100),
        ("attribution.touchpoints", 1): Bounds(5, 25),
    }
    async with client_of(store, MemoryOffsets(ends)) as client:
        answer = (await client.get("/api/v1/data/status")).json()
    assert [(p["topic"], p["partition"], p["offset"], p["lag"]) for p in answer["partitions"]] == [
        ("attribution.conversions", 0, 10, 0),
        ("attribution.touchpoints", 0, 70, 10),
        ("attribution.touchpoints", 1, None, 20),
    ]
    assert answer["total_lag"] == 30
    assert [d["reason"] for d in answer["dead_letters"]] == ["invalid_value", "undecodable"]
    assert answer["meta"]["lag_seconds"] == 90.0


async def test_status_without_kafka_says_so_and_keeps_the_rest() -> None:
    store = demo_store()
    store.read = [Progress("attribution.touchpoints", 0, 70, at(TODAY_US), at(TODAY_US))]
    async with client_of(store, MemoryOffsets(reason="timed out")) as client:
        response = await client.get("/api/v1/data/status")
    answer = response.json()
    assert response.status_code == 200
    assert (answer["kafka"]["status"], answer["kafka"]["reason"]) == ("unavailable", "timed out")
    assert (answer["partitions"][0]["offset"], answer["partitions"][0]["lag"], answer["total_lag"]) == (70, None, None)


def test_spend_of_another_day_is_not_in_the_report() -> None:
    page = demo_store().channel_performance(date(2026, 11, 24), date(2026, 11, 24), "linear", "USD")
    assert [r.spend_micros for r in page.rows] == [0]
