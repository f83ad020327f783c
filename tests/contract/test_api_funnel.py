"""What every store promises to funnels and to the report on unattributed conversions; HTTP over both."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any, TypeAlias

import pytest
from funnel_world import CONFIG, START, START_US, TOUCH_TYPES, TYPES, Person, World, build

from api.clickhouse_store import ClickHouseStore
from api.funnel_store import REASONS, FunnelAsked, Step, UnattributedAsked
from api.store import Store, Unavailable
from api.testing import MemoryStore
from attribution.config import DAY_US
from attribution.identity import Link
from attribution.recompute import recomputer
from attribution.types import ConversionEvent
from clickhouse import rows
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import ConversionWireEvent, IdentityEvent, TouchpointEvent
from tests.contract.test_api_analytics import get
from tests.contract.test_api_store import Facts, load_clickhouse, load_memory

Load: TypeAlias = Callable[[World], Store]
ANY, BOUGHT = Step("any"), Step("conversion", "purchase")
FUNNELS: tuple[tuple[Step, ...], ...] = (
    (ANY, BOUGHT),
    (ANY, Step("conversion", "lead_created"), Step("conversion", "opportunity_created"), BOUGHT),
    (ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY),
    (BOUGHT, BOUGHT),
    (Step("touch", "a\\b'c"), Step("touch", "Приём")),
    (Step("touch", 'quo"te\n'), Step("conversion", "it's")),
    (Step("touch_type", "click"), Step("touch", "Email"), Step("conversion", TYPES[0])),
    (Step("conversion", "lead_created"), Step("touch_type", TOUCH_TYPES[2]), ANY),
    (ANY, Step("touch", "x' OR 1=1 --")),
    (Step("touch", "\\"), Step("conversion", "{a:String}")),
)
BOUNDS: tuple[dict[str, float], ...] = (
    {},
    {"window": 0.25},
    {"first": -9, "last": 30, "window": 60},
    {"first": 2.25, "last": 2.5},
)


def asked(steps: tuple[Step, ...], first: float = 0, last: float = 8, window: float = 3) -> FunnelAsked:
    first_us, last_us = (START_US + round(days * DAY_US) for days in (first, last))
    return FunnelAsked(steps, first_us, last_us, round(window * DAY_US))


def why(**more: Any) -> UnattributedAsked:
    return UnattributedAsked(START - timedelta(days=5), START + timedelta(days=15), "USD", "", "day", 1)._replace(
        **more
    )


@cache
def world() -> World:
    return build(5)


def facts_of(of: World) -> Facts:
    return Facts(
        touchpoints=[t for p in of.people for t in p.touchpoints],
        conversions=[c for p in of.people for c in p.conversions],
        credits=of.credits(),
        rates=of.rates,
    )


class FunnelContract:
    """The suite. A subclass gives ``load``: a world to a store that holds it."""

    def test_funnels_and_reasons_are_those_of_the_events(self, load: Load) -> None:
        """Refunds, orders sent twice, touches delivered twice, linked ids, ties and edges of windows among them."""
        store = load(world())
        deepest = 0
        for n, steps in enumerate(FUNNELS):
            for more in (BOUNDS[n % 2], BOUNDS[2 + n // 2 % 2]):
                question = asked(steps, **more)
                wanted = world().funnel(question)
                assert store.funnel(question) == wanted, question
                deepest = max(deepest, sum(1 for n in wanted if n))
        assert deepest >= 5
        reasons = set()
        for request in (
            why(),
            why(currency="EUR", bucket="week"),
            why(currency="CHF", bucket="month"),
            why(conversion_type="purchase", start=START + timedelta(days=2), end=START + timedelta(days=4)),
            why(conversion_type="' OR 1"),
            why(start=date(1970, 1, 1), end=date(1970, 1, 2)),
        ):
            found = store.unattributed(request)
            expected = world().unattributed(request)
            assert (found.rows, found.other_currencies, found.converted_currencies) == expected, request
            assert found.config == CONFIG
            reasons |= {r.reason for r in found.rows}
        assert reasons == set(REASONS)
        assert store.conversion_types() == sorted(TYPES)

    def test_a_chain_of_ids_is_one_person_however_long_it_is(self, load: Load) -> None:
        """The touch is at one end, the conversion at the other; the links come in no order."""
        ids = [f"{(n * 37) % 150:03}" for n in range(150)]
        links = [Link(START_US + n * 7 % 50, f"l{n}", *ids[n : n + 2]) for n in range(149)]
        person = Person(ids)
        person.touchpoints.append(TouchpointEvent("t", ids[0], START_US, "Direct"))
        person.conversions.append(ConversionWireEvent("v", ids[-1], START_US + 1, currency="USD"))
        alone = Person(["alone"])
        alone.conversions.append(ConversionWireEvent("w", "alone", START_US + 1, currency="USD"))
        of = World([person, alone], links, [])
        store = load(of)
        assert store.funnel(asked((ANY, BOUGHT))) == [1, 1] == of.funnel(asked((ANY, BOUGHT)))
        assert store.funnel(asked((BOUGHT, ANY))) == [2, 0]
        assert [(r.reason, r.conversions) for r in store.unattributed(why()).rows] == [("no_touch", 1)]

    async def test_both_reports_over_http(self, load: Load) -> None:
        store = load(world())
        days = f"start_date={START}&end_date={START + timedelta(days=9)}"
        funnel = f"/api/v1/analytics/conversion-funnel?{days}"
        given = await get(store, f"{funnel}&window_days=4&step=any&step=conversion:lead_created&step=touch:Direct")
        steps = (ANY, Step("conversion", "lead_created"), Step("touch", "Direct"))
        counts = world().funnel(asked(steps, 0, 10, 4))
        assert given.status_code == 200
        rows_ = given.json()["steps"]
        assert [r["customers"] for r in rows_] == counts
        assert [r["step"] for r in rows_] == ["any", "conversion:lead_created", "touch:Direct"]
        assert [r["drop_off"] for r in rows_] == [0, counts[0] - counts[1], counts[1] - counts[2]]
        assert [r["rate_from_previous"] for r in rows_] == [None, counts[1] / counts[0], counts[2] / counts[1]]
        assert [r["rate_from_first"] for r in rows_] == [n / counts[0] for n in counts]
        default = (await get(store, funnel)).json()
        milestones = ["lead_created", "opportunity_created", "purchase"]
        assert [r["step"] for r in default["steps"]] == ["any", *(f"conversion:{name}" for name in milestones)]
        assert default["window_days"] == 30
        report = f"/api/v1/analytics/unattributed?{days}&currency=EUR"
        plain = (await get(store, report)).json()
        assert sum(r["conversions"] for r in plain["rows"]) == plain["totals"]["conversions"] > 0
        assert sum(r["value_micros"] for r in plain["reasons"]) == plain["totals"]["value_micros"]
        assert [r["reason"] for r in plain["reasons"]] == list(REASONS)
        assert sum(r["share"] for r in plain["reasons"]) == pytest.approx(1)
        assert (plain["lookback_days"], plain["excluded_channels"]) == (2.0, ["email"])
        for path, lines in ((f"{funnel}&step=any&step=any", None), (report, plain["rows"])):
            answer = await get(store, path, accept="text/csv")
            read = list(csv.DictReader(io.StringIO(answer.text)))
            assert answer.headers["content-type"].startswith("text/csv")
            assert len(read) == (2 if lines is None else len(lines))
            assert lines is None or [int(r["value_micros"]) for r in read] == [r["value_micros"] for r in lines]
            for form in ("text/csv", "application/json"):
                first = await get(store, path, accept=form)
                again = await get(store, path, accept=form, if_none_match=first.headers["etag"])
                assert again.status_code == 304
                assert again.headers["x-meta-run-id"] == "1"
            assert (await get(store, path, accept="image/png")).status_code == 406
            meta = (await get(store, path)).json()["meta"]
            assert (meta["run_id"], meta["as_of"]) == (1, "2026-03-20T12:00:00Z")

    async def test_a_store_without_anything_has_empty_reports(self, empty: Store) -> None:
        funnel = (await get(empty, "/api/v1/analytics/conversion-funnel")).json()
        assert [(r["step"], r["customers"], r["rate_from_first"]) for r in funnel["steps"]] == [
            ("any", 0, None),
            ("conversion:purchase", 0, None),
        ]
        for days in (
            "",
            "start_date=2200-01-01&end_date=2200-01-02",
            "start_date=9999-12-30&end_date=9999-12-31",
            "start_date=0001-01-01&end_date=0001-01-02",
        ):
            report = (await get(empty, f"/api/v1/analytics/unattributed?{days}")).json()
            assert (report["totals"]["conversions"], report["rows"]) == (0, []), days
            steps = (await get(empty, f"/api/v1/analytics/conversion-funnel?{days}&window_days=400")).json()["steps"]
            assert [s["customers"] for s in steps] == [0, 0], days

    @pytest.mark.parametrize(
        ("query", "field", "way_out"),
        [
            ("conversion-funnel?step=any", "step", "2 to 8 times"),
            ("conversion-funnel?" + "&".join(["step=any"] * 9), "step", "2 to 8 times"),
            ("conversion-funnel?step=any&step=click", "step", "touch_type:<type>"),
            ("conversion-funnel?step=any&step=", "step", "touch_type:<type>"),
            ("conversion-funnel?step=touch:&step=any", "step", "names nothing"),
            ("conversion-funnel?step=any&step=conversion:%20", "step", "names nothing"),
            (f"conversion-funnel?step=any&step=touch:{'x' * 257}", "step", "at most 256"),
            ("conversion-funnel?window_days=0", "window_days", "greater than or equal to 1"),
            ("conversion-funnel?window_days=401", "window_days", "less than or equal to 400"),
            ("conversion-funnel?start_date=2026-03-02&end_date=2026-03-01", "start_date", "at or before the end"),
            ("unattributed?start_date=2020-01-01&end_date=2026-03-01", "start_date", "ask for less"),
            ("unattributed?interval=hour", "interval", "'day', 'week' or 'month'"),
            ("unattributed?currency=usd", "currency", "pattern"),
        ],
    )
    async def test_a_wrong_question_names_the_field_and_the_way_out(
        self, empty: Store, query: str, field: str, way_out: str
    ) -> None:
        answer = await get(empty, f"/api/v1/analytics/{query}")
        assert answer.status_code == 422
        (error,) = [e for e in answer.json()["errors"] if e["field"] == field]
        assert way_out in error["reason"]
        assert "value" in error


class TestMemoryFunnel(FunnelContract):
    """The double."""

    @pytest.fixture
    def empty(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def load(self) -> Load:
        def loaded(of: World) -> Store:
            store = load_memory(facts_of(of))
            store.config, store.links = CONFIG, of.links
            return store

        return loaded


@pytest.fixture
def engine(clickhouse_url: str, clickhouse_database: str) -> ClickHouseSettings:
    return ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)


@pytest.mark.clickhouse
class TestClickHouseFunnel(FunnelContract):
    """The real one."""

    @pytest.fixture
    def empty(self, engine: ClickHouseSettings) -> Iterator[Store]:
        store = ClickHouseStore(engine)
        yield store
        store.close()

    @pytest.fixture
    def load(self, engine: ClickHouseSettings, empty: Store) -> Load:
        def loaded(of: World) -> Store:
            load_clickhouse(facts_of(of), engine)
            describe(engine, of)
            return empty

        return loaded

    def test_a_refund_takes_a_customer_back_a_step(self, load: Load, engine: ClickHouseSettings) -> None:
        """As it is seen at once: the row with the highest rev counts, and a deleted one does not."""
        of = build(8)
        buyers = [p for p in of.people if p.events() and p.touches(counted=True)]
        store, question = load(of), asked((ANY, BOUGHT), -9, 30, 60)
        before = store.funnel(question)
        for person in buyers:
            taken = [
                ConversionEvent(
                    e.at_us + 1, f"{e.event_id}-gone", e.conversion_type, "", 0, "USD", "cancelled", e.event_id
                )
                for e in person.events()
                if not e.adjusts
            ]
            gone = recomputer(CONFIG)(person.touches(counted=True), [*person.events(), *taken])
            survivor = next(
                c for c, f in of.credits() if f.conversion.conversion_id == gone[0].conversion.conversion_id
            )
            written = [(survivor, replace(f, rev=f.rev + 1_000)) for f in gone]
            load_clickhouse(Facts(credits=written), engine)
            break
        after = store.funnel(question)
        assert before[0] == after[0]
        assert before[1] - after[1] == 1

    def test_a_run_that_has_rows_and_no_parameters_says_what_to_do(
        self, engine: ClickHouseSettings, empty: Store
    ) -> None:
        load_clickhouse(facts_of(world()), engine)
        with pytest.raises(Unavailable, match="start its worker"):
            empty.unattributed(why())


def describe(engine: ClickHouseSettings, of: World) -> None:
    """Record links and the run's parameters, as a worker does."""
    client = connect(engine)
    identities = [IdentityEvent(link.event_id, link.customer_id, link.previous_id, link.at_us) for link in of.links]
    run = rows.run_rows(
        1,
        label="live",
        models=CONFIG.models,
        config_hash=CONFIG.config_hash(),
        config_json=json.dumps(CONFIG.as_dict()),
    )
    try:
        Writer(client).write({"identities": rows.identity_rows(identities), "runs": run})
    finally:
        client.close()
