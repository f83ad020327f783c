"""What every store promises to the reports by campaign, model and time, and to explanations; HTTP over both."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias, get_args

import httpx
import pytest

from api.analytics_store import Bucket, SumsAsked
from api.app import create_app
from api.clickhouse_store import ClickHouseStore
from api.settings import ApiSettings
from api.store import Basis, Store
from api.testing import MemoryOffsets
from attribution.config import DAY_US, AttributionConfig
from attribution.recompute import recomputer
from attribution.types import UNATTRIBUTED, ConversionEvent
from clickhouse import rows
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import ConversionWireEvent, TouchpointEvent
from tests.contract.test_api_store import (
    MODELS,
    PERIOD,
    START,
    START_US,
    Facts,
    build_facts,
    load_clickhouse,
    load_memory,
    with_rates,
)

Load: TypeAlias = Callable[[Facts], Store]
CONFIG = AttributionConfig(models=MODELS, exclude_channels=frozenset({"email"}), lookback_us=5 * DAY_US)
BASES: tuple[Basis, ...] = get_args(Basis)
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def asked(currency: str = "USD", **more: Any) -> SumsAsked:
    plain = SumsAsked(*PERIOD, MODELS, currency, "", "conversion_day", "", False, 7)
    return plain._replace(**more)


def explained_facts() -> Facts:
    """One customer whose touches are excluded for every reason, and whose purchase was restated."""
    touches = [
        TouchpointEvent("old", "c", START_US - 9 * DAY_US, "Paid Search"),
        TouchpointEvent("same", "c", START_US - 3 * DAY_US, "Display"),
        TouchpointEvent("same", "c", START_US - 2 * DAY_US, "Display"),
        TouchpointEvent("mail", "c", START_US - DAY_US, "Email"),
        TouchpointEvent("last", "c", START_US, "Direct", campaign="spring"),
        TouchpointEvent("later", "c", START_US + 1, "Direct"),
    ]
    conversions = [
        ConversionWireEvent("v1", "c", START_US, order_id="o/1", value_micros=101, currency="USD"),
        ConversionWireEvent("v2", "c", START_US + 9, order_id="o/1", value_micros=100, currency="USD", adjusts="v1"),
    ]
    events = [
        ConversionEvent(e.occurred_at_us, e.event_id, "purchase", "o/1", e.value_micros, "USD", "completed", adjusts)
        for e, adjusts in zip(conversions, ("", "v1"), strict=True)
    ]
    plain = [(t.occurred_at_us, t.event_id, t.channel, t.campaign or "") for t in touches]
    credits_ = [("c", replace(found, rev=8)) for found in recomputer(CONFIG)(plain, events)]
    return Facts(touchpoints=touches, conversions=conversions, credits=credits_)


class AnalyticsContract:
    """The suite. A subclass gives ``load``: facts to a store that holds them."""

    @pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
    @pytest.mark.parametrize("basis", BASES)
    def test_sums_add_up_to_channel_performance(self, load: Load, basis: Basis, currency: str) -> None:
        """Whatever is kept apart, and to the micro: converted amounts, too."""
        store = load(with_rates(build_facts()))
        for bucket in get_args(Bucket):
            for by_campaign in (False, True):
                sums = store.sums(asked(currency, basis=basis, bucket=bucket, by_campaign=by_campaign))
                for model in MODELS:
                    page = store.channel_performance(*PERIOD, model, currency, basis=basis)
                    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0, 0, 0])
                    for key, credit in sums.credits[model].items():
                        found[key.channel][0] += credit.conversions
                        found[key.channel][1] += credit.revenue_micros
                        found[key.channel][2] += credit.touchpoints
                    for key, cost in sums.spend.items():
                        found[key.channel][3] += cost
                    found[UNATTRIBUTED]
                    assert {c: [pytest.approx(s[0]), *s[1:]] for c, s in found.items()} == {
                        r.channel: [r.conversions, r.revenue_micros, r.touchpoints, r.spend_micros] for r in page.rows
                    }
                    assert list(sums.converted_currencies) == page.converted_currencies
                    assert list(sums.other_currencies) == page.other_currencies

    @pytest.mark.parametrize("basis", BASES)
    def test_buckets_hold_their_days(self, load: Load, basis: Basis) -> None:
        store = load(build_facts())
        by_day = store.sums(asked(bucket="day", basis=basis))
        for bucket in ("week", "month"):
            wider = store.sums(asked(bucket=bucket, basis=basis))
            folded: dict[tuple[date, str], int] = defaultdict(int)
            for key, credit in by_day.credits["linear"].items():
                back = key.day.weekday() if bucket == "week" else key.day.day - 1
                folded[key.day - timedelta(days=back), key.channel] += credit.revenue_micros
            assert {(k.day, k.channel): c.revenue_micros for k, c in wider.credits["linear"].items()} == folded

    def test_other_days_models_and_types_are_left_out(self, load: Load) -> None:
        store = load(build_facts())
        sums = store.sums(asked(models=("linear",), conversion_type="lead_created"))
        assert list(sums.credits) == ["linear"]
        assert sum(c.conversions for c in sums.credits["linear"].values()) == pytest.approx(3)
        assert store.sums(asked(start=START + timedelta(days=50), end=START + timedelta(days=60))).credits == {}
        assert store.sums(asked("' OR 1=1", models=("x' --",), conversion_type="{a:b}")).credits == {}

    async def test_every_report_over_http(self, load: Load) -> None:
        """Laws between the answers: compare = channel-performance, timeseries and campaigns sum to it."""
        store = load(with_rates(build_facts()))
        period = f"start_date={PERIOD[0]}&end_date={PERIOD[1]}&currency=EUR"
        base = {}
        for basis in BASES:
            url = f"/api/v1/analytics/channel-performance?{period}&basis={basis}"
            base[basis] = (await get(store, url)).json()
            campaigns, after = [], ""
            while True:
                url = f"/api/v1/analytics/campaign-performance?{period}&basis={basis}&limit=3{after}"
                page = (await get(store, url)).json()
                campaigns += page["campaigns"]
                assert page["totals"]["revenue_micros"] == base[basis]["totals"]["revenue_micros"]
                if not page["next_cursor"]:
                    break
                after = f"&cursor={page['next_cursor']}"
            assert len({(c["channel"], c["campaign"]) for c in campaigns}) == len(campaigns) > 3
            whole = (await get(store, f"/api/v1/analytics/campaign-performance?{period}&basis={basis}")).json()
            assert campaigns == whole["campaigns"]
            points = (await get(store, f"/api/v1/analytics/timeseries?{period}&basis={basis}&interval=week")).json()
            for part in (campaigns, points["points"]):
                for name in ("revenue_micros", "spend_micros", "touchpoints"):
                    assert sum(p[name] for p in part) == base[basis]["totals"][name]
            by_channel: dict[str, int] = defaultdict(int)
            for point in points["points"]:
                by_channel[point["channel"]] += point["revenue_micros"]
            named = {c["channel"]: c["revenue_micros"] for c in base[basis]["channels"]}
            assert {c: v for c, v in by_channel.items() if v} == {c: v for c, v in named.items() if v}
            total = (await get(store, f"/api/v1/analytics/timeseries?{period}&basis={basis}&group_by=total")).json()
            assert {p["channel"] for p in total["points"]} == {"total"}
            assert len({p["date"] for p in total["points"]}) == len(total["points"])
        roi = (await get(store, f"/api/v1/analytics/roi?{period}")).json()
        for row in (*roi["channels"], roi["totals"]):
            for basis in BASES:
                wanted = [c for c in base[basis]["channels"] if row["channel"] in (c["channel"], "total")]
                assert row[basis]["revenue_micros"] == sum(c["revenue_micros"] for c in wanted)
                assert row["spend_micros"] == sum(c["spend_micros"] for c in wanted)
        compared = (await get(store, f"/api/v1/attribution/compare?{period}&models={','.join(MODELS)}")).json()
        for m, model in enumerate(MODELS):
            url = f"/api/v1/analytics/channel-performance?{period}&attribution_model={model}"
            by_name = {c["channel"]: c["revenue_micros"] for c in (await get(store, url)).json()["channels"]}
            mine = {c["channel"]: c["models"][m]["revenue_micros"] for c in compared["channels"]}
            assert mine == {channel: by_name[channel] for channel in mine}
            assert sum(mine.values()) == sum(by_name.values())
            assert sum(c["models"][m]["share"] for c in compared["channels"]) == pytest.approx(1)
        assert len(compared["distances"]) == len(MODELS) * (len(MODELS) - 1) // 2
        assert 0 < compared["disagreement_index"] < 1
        alike = (await get(store, f"/api/v1/attribution/compare?{period}&models=linear,linear")).json()
        assert (alike["distances"], alike["disagreement_index"]) == ([], None)

    async def test_an_explanation_names_every_reason_and_matches_what_is_stored(self, load: Load) -> None:
        store = load(explained_facts())
        response = await get(store, "/api/v1/attribution/conversions/purchase:o%2F1/explain")
        found = response.json()
        assert response.status_code == 200
        assert [(t["touchpoint_id"], t["verdict"], t["position"]) for t in found["touches"]] == [
            ("old", "outside_lookback", None),
            ("same", "eligible", 1),
            ("same", "duplicate", None),
            ("mail", "excluded_channel", None),
            ("last", "eligible", 2),
            ("later", "after_conversion", None),
        ]
        assert (found["matches_stored"], found["value_micros"], found["config_hash"]) == (
            True,
            100,
            CONFIG.config_hash(),
        )
        assert [(e["event_id"], e["value_micros"]) for e in found["events"]] == [("v1", 101), ("v2", 100)]
        assert [r["rev"] for r in found["history"]] == [8]
        assert [m["model"] for m in found["models"]] == list(MODELS)
        for model in found["models"]:
            assert sum(s["value_micros"] for s in model["shares"]) == 100
        assert (await get(store, str(response.url), if_none_match=response.headers["etag"])).status_code == 304
        missing = await get(store, "/api/v1/attribution/conversions/nothing' OR 1/explain")
        assert missing.status_code == 404
        assert "nothing' OR 1" in missing.json()["detail"]


async def get(store: Store, path: str, **headers: str) -> httpx.Response:
    app = create_app(ApiSettings(), store=store, offsets=MemoryOffsets(), now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


class TestMemoryAnalytics(AnalyticsContract):
    """The double."""

    @pytest.fixture
    def load(self) -> Load:
        def loaded(facts: Facts) -> Store:
            store = load_memory(facts)
            store.config = CONFIG
            return store

        return loaded


@pytest.mark.clickhouse
class TestClickHouseAnalytics(AnalyticsContract):
    """The real one."""

    @pytest.fixture
    def load(self, clickhouse_url: str, clickhouse_database: str) -> Iterator[Load]:
        engine = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
        store = ClickHouseStore(engine)

        def loaded(facts: Facts) -> Store:
            load_clickhouse(facts, engine)
            described(engine)
            return store

        yield loaded
        store.close()


def described(engine: ClickHouseSettings) -> None:
    """Record the run's parameters, as a worker does."""
    client = connect(engine)
    try:
        parameters = json.dumps(CONFIG.as_dict())
        table = rows.run_rows(1, label="live", models=MODELS, config_hash=CONFIG.config_hash(), config_json=parameters)
        Writer(client).write({"runs": table})
    finally:
        client.close()
