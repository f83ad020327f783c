"""``attribution bench read`` end to end over few conversions, and the rows that every read of the API costs."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from api import report_days
from api.clickhouse_store import state_of
from api.report_days import Asked
from api.store import Page
from cli import bench_read, bench_world
from cli.bench_world import World
from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.errors import StoreError
from clickhouse.rollups import Roller
from clickhouse.settings import ClickHouseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

#: Enough days and rows that a scan is told from a look-up.
WORLD = World(40_000, date(2026, 11, 23), days=3)
_GRANULE = 8_192


@pytest.fixture(scope="module")
def settings(clickhouse_url: str) -> Iterator[ClickHouseSettings]:
    settings = ClickHouseSettings(url=clickhouse_url, database=f"bench_{uuid.uuid4().hex[:12]}")
    bench_world.build(settings, WORLD, lambda _: None)
    yield settings
    bench_world.drop(settings)


@pytest.fixture
def client(settings: ClickHouseSettings) -> Iterator[Client]:
    client = connect(settings)
    yield client
    client.close()


class Counting:
    """Runs named queries and counts the rows that the engine reads for them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.rows: dict[str, int] = {}

    def __call__(self, name: str, /, **bound: Any) -> list[dict[str, Any]]:
        found = self._client.query(queries.load(name), parameters=bound)
        self.rows[name] = int(found.summary["read_rows"])
        return list(found.named_results())


def test_every_question_is_measured_live_ones_too(settings: ClickHouseSettings, tmp_path: Path) -> None:
    result = bench_read._run(settings, WORLD, 2, 0.2, keep=True, live=True, log=tmp_path / "api.log")

    names = [m["name"] for m in result["measured"]]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("live: ") for name in names) == 3
    assert all(m["requests"] > 0 and 0 < m["p50"] <= m["p95"] <= m["p99"] for m in result["measured"])
    assert all(m["rows_read"] > 0 for m in result["measured"] if m["name"].startswith(("query ", "panel ")))
    assert len(bench_read._table(result).splitlines()) == 2 + len(names)


def test_another_database_is_neither_filled_nor_dropped(clickhouse_url: str, clickhouse_database: str) -> None:
    settings = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    with pytest.raises(StoreError, match="was not made by `attribution bench read`"):
        bench_world.build(settings, WORLD, lambda _: None)


@pytest.mark.parametrize("basis", ["conversion_day", "touch_day"])
def test_a_report_reads_the_days_that_were_built_since_and_no_others(client: Client, basis: Any) -> None:
    run = Counting(client)
    asked = Asked(basis, WORLD.start, WORLD.end, "linear", "USD", "", 7)
    credits_ = "report_credits" if basis == "conversion_day" else "report_credits_touch"

    def renewed(former: Page | None) -> Page:
        return report_days.read(run, asked, state_of(standing.read(run)), former)

    first = renewed(None)
    whole = run.rows.copy()
    run.rows.clear()
    again = renewed(first)
    assert run.rows.keys() == {"standing"}

    queries.execute(client, "bench_mark", day=WORLD.end, unit=7)
    Roller(client).drain()
    run.rows.clear()
    third = renewed(again)

    assert first == again
    # the roller adds weights up in another order when it holds a day's minutes
    assert [replace(r, conversions=0.0) for r in third.rows] == [replace(r, conversions=0.0) for r in first.rows]
    assert [r.conversions for r in third.rows] == pytest.approx([r.conversions for r in first.rows])
    assert run.rows.keys() == {"standing", credits_}
    assert run.rows[credits_] < whole[credits_] / 2
    table = "rollup_day" if basis == "conversion_day" else "rollup_touch_day"
    rows = next(size["rows"] for size in queries.run(client, "bench_sizes") if size["table"] == table)
    assert whole[credits_] < rows / 2, "a report reads its model, not all seven"


def test_a_customer_is_found_without_a_scan(client: Client) -> None:
    run = Counting(client)
    customer = queries.run(client, "bench_customer", day=WORLD.end)[0]["customer_id"]
    page = {"customer_id": customer, "has_after": 0, "after_us": 0, "after_id": "", "limit": 1_000}

    results = run("results_page", **page, model="", after_model="")
    events = run("journey_page", **page, after_rank=0)
    earned = run("journey_credits", customer_id=customer, models=["linear"], first_us=0, last_us=2**60, limit=1_000)
    conversions = sum(e["kind"] == "conversion" for e in events)
    touchpoints = sum(e["kind"] == "touchpoint" for e in events)

    assert len(results) == 7 * conversions > 0
    assert sum(len(r["path"]) for r in results) == 7 * touchpoints
    assert len(earned) == touchpoints
    parts = {size["table"]: size["parts"] for size in queries.run(client, "bench_sizes")}
    # a granule per part of what is keyed by customer; of credits one per conversion, twice, and a few in error
    assert run.rows["journey_page"] <= _GRANULE * (parts["touchpoints"] + parts["conversions"])
    assert run.rows["results_page"] <= _GRANULE * (2 * conversions + 2)
    assert run.rows["journey_credits"] == run.rows["results_page"]
