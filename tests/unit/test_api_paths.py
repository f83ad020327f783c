"""Reports over paths by hand-made examples, their wrong inputs, and their answers to an empty store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api import cursor
from api.app import create_app
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryStore
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion, Touch

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY_US = int(NOW.timestamp()) // 86_400 * DAY_US
HOUR_US = DAY_US // 24
URL = "/api/v1/analytics"
REPORTS = ("top-paths", "path-length", "time-lag", "assisted-conversions")


def store() -> MemoryStore:
    """Email > Email > Direct > Email worth 100, Direct worth 10 twice, and 1 that no touch precedes."""
    held = MemoryStore()
    attributor = Attributor(AttributionConfig(models=("linear", "last_touch")))
    paths: tuple[tuple[str, int, tuple[tuple[str, str, int], ...]], ...] = (
        (
            "long",
            100_000_000,
            (
                ("Email", "a", 31 * DAY_US),
                ("Email", "b", 3 * DAY_US),
                ("Direct", "", 2 * DAY_US),
                ("Email", "b", HOUR_US - 1),
            ),
        ),
        ("d1", 10_000_000, (("Direct", "", DAY_US),)),
        ("d2", 10_000_000, (("Direct", "", HOUR_US),)),
        ("none", 1_000_000, ()),
    )
    for name, value, steps in paths:
        touches: list[Touch] = [(TODAY_US - back, f"{name}-{i}", c, k) for i, (c, k, back) in enumerate(steps)]
        sold = Conversion(name, "purchase", TODAY_US, value, "USD")
        held.add_credits(name, attributor.attribute(FixedJourney(touches), sold))
    return held


async def get(path: str, held: MemoryStore | None = None) -> httpx.Response:
    app = create_app(ApiSettings(), store=held or store(), offsets=MemoryOffsets(), now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(f"{URL}/{path}")


async def test_paths_are_collapsed_by_what_a_step_is() -> None:
    answer = (await get("top-paths")).json()
    assert [(p["path"], p["conversions"], p["value"], p["mean_touches"], p["share"]) for p in answer["paths"][:1]] == [
        ("Direct", 2, 20.0, 1.0, 0.5)
    ]
    assert {p["path"]: p["mean_touches"] for p in answer["paths"][1:]} == {
        "Email > Direct > Email": 4.0,
        "unattributed": 0.0,
    }
    assert next(p["steps"] for p in answer["paths"] if p["path"] == "unattributed") == []
    assert answer["totals"] == {"conversions": 4, "value": 121.0, "value_micros": 121_000_000, "mean_touches": 1.5}
    by_campaign = (await get("top-paths?by=campaign&channel=Email")).json()
    assert [p["path"] for p in by_campaign["paths"]] == ["Email / a > Email / b > Direct > Email / b"]
    assert by_campaign["paths"][0]["steps"][2] == {"channel": "Direct", "campaign": None}
    assert by_campaign["paths"][0]["share"] == 1
    whole = (await get("top-paths?collapse=none&channel=Email")).json()
    assert whole["paths"][0]["path"] == "Email > Email > Direct > Email"


async def test_lengths_end_in_an_open_row() -> None:
    rows = (await get("path-length?longest=2")).json()["lengths"]
    assert [(r["touches"], r["or_more"], r["conversions"], r["value"]) for r in rows] == [
        (0, False, 1, 1.0),
        (1, False, 2, 20.0),
        (2, True, 1, 100.0),
    ]
    assert [(r["share"], r["cumulative_share"]) for r in rows] == [(0.25, 0.25), (0.5, 0.75), (0.25, 1.0)]


async def test_lags_have_their_edges_where_they_say() -> None:
    answer = (await get("time-lag")).json()
    first, last = (
        {b["bucket"]: b[since]["conversions"] for b in answer["buckets"] if b[since]["conversions"]}
        for since in ("since_first_touch", "since_last_touch")
    )
    assert first == {"no touch": 1, "1-24 h": 1, "1 d": 1, "30+ d": 1}
    assert last == {"no touch": 1, "<1 h": 1, "1-24 h": 1, "1 d": 1}
    assert answer["since_first_touch"]["median_seconds"] == 86_400
    # 3599, 3600 and 86400 seconds: a quarter lies half way between the first two
    assert answer["since_last_touch"]["p25_seconds"] == 3599.5
    edges = [(b["bucket"], b["from_seconds"], b["to_seconds"]) for b in answer["buckets"]]
    assert edges[:4] == [("no touch", None, None), ("<1 h", 0, 3600), ("1-24 h", 3600, 86400), ("1 d", 86400, 172800)]
    assert edges[-2:] == [("29 d", 2505600, 2592000), ("30+ d", 2592000, None)]


async def test_a_channel_may_assist_and_close_the_same_conversion() -> None:
    answer = (await get("assisted-conversions")).json()
    names = ("channel", "last_touch_conversions", "assisted_conversions", "first_touch_conversions", "assisted_ratio")
    assert [tuple(r[n] for n in names) for r in answer["channels"]] == [
        ("Direct", 2, 1, 2, 0.5),
        ("Email", 1, 1, 1, 1.0),
    ]
    assert answer["channels"][0]["assisted_value_micros"] == 100_000_000
    assert (answer["totals"]["conversions"], answer["totals"]["value"]) == (3, 120.0)
    assert answer["unattributed"] == {"conversions": 1, "value": 1.0, "value_micros": 1_000_000}


async def test_a_channel_that_is_never_last_has_no_ratio() -> None:
    held = MemoryStore()
    touches = [(TODAY_US - 2, "a", "Display", ""), (TODAY_US - 1, "b", "Direct", "")]
    sold = Conversion("c", "purchase", TODAY_US, 5, "USD")
    attributor = Attributor(AttributionConfig(models=("linear",)))
    held.add_credits("c", attributor.attribute(FixedJourney(touches), sold))
    rows = (await get("assisted-conversions", held)).json()["channels"]
    assert [(r["channel"], r["assisted_ratio"]) for r in rows] == [("Display", None), ("Direct", 0.0)]


async def test_an_empty_store_has_rows_of_nothing_and_no_ratios() -> None:
    nothing = MemoryStore()
    paths, lengths, lags, assists = [(await get(report, nothing)).json() for report in REPORTS]
    assert (paths["paths"], paths["totals"]["mean_touches"], paths["next_cursor"]) == ([], None, None)
    assert {(r["conversions"], r["share"], r["cumulative_share"]) for r in lengths["lengths"]} == {(0, None, None)}
    assert lags["since_last_touch"]["median_seconds"] is None
    assert (assists["channels"], assists["totals"]["value_micros"]) == ([], 0)


@pytest.mark.parametrize("report", REPORTS)
async def test_a_period_over_100_days_is_refused_with_the_way_out(report: str) -> None:
    end = NOW.date()
    fits, over = (end - timedelta(days=n) for n in (99, 100))
    assert (await get(f"{report}?start_date={fits}&end_date={end}")).status_code == 200
    refused = await get(f"{report}?start_date={over}&end_date={end}")
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["field"], error["value"]) == ("start_date", str(over))
    assert error["reason"] == "is more than 100 days before end_date; ask for less"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("top-paths?limit=0", "limit"),
        ("top-paths?limit=501", "limit"),
        ("top-paths?by=customer", "by"),
        ("top-paths?collapse=all", "collapse"),
        ("top-paths?channel=", "channel"),
        ("top-paths?cursor=xyz", "cursor"),
        (f"top-paths?cursor={cursor.encode_position('campaign', (1, 'a'))}", "cursor"),
        (f"top-paths?cursor={cursor.encode_position('path', (2**63, 'a'))}", "cursor"),
        (f"top-paths?cursor={cursor.encode_position('path', (-1, 'a'))}", "cursor"),
        ("path-length?longest=0", "longest"),
        ("path-length?longest=1001", "longest"),
        ("time-lag?currency=usd", "currency"),
        ("assisted-conversions?conversion_type=", "conversion_type"),
        ("assisted-conversions?end_date=yesterday", "end_date"),
    ],
)
async def test_wrong_input_is_named(asked: str, field: str) -> None:
    refused = await get(asked)
    assert refused.status_code == 422
    assert [e["field"] for e in refused.json()["errors"]] == [field]
