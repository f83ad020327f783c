"""A report that the API keeps: every change is seen, and no answer is older than its ``meta`` says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api.app import create_app
from api.clickhouse_store import ClickHouseStore
from api.settings import ApiSettings
from api.testing import MemoryOffsets
from attribution.config import DAY_US
from attribution.types import Conversion, ConversionCredits
from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.erasure import Customer, Eraser
from clickhouse.fx import Rate, import_rates
from clickhouse.rollups import Roller
from clickhouse.rows import attribution_rows, dirty_day_rows, spend_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import SpendEvent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

DAY_0 = 20_000
DATE_0 = date(1970, 1, 1) + timedelta(days=DAY_0)
PATH = f"/api/v1/analytics/channel-performance?start_date={DATE_0}&end_date={DATE_0 + timedelta(days=9)}"


@pytest.fixture
def settings(clickhouse_url: str, clickhouse_database: str) -> ClickHouseSettings:
    return ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)


@pytest.fixture
def client(settings: ClickHouseSettings) -> Iterator[Client]:
    client = connect(settings)
    yield client
    client.close()


@pytest.fixture
def api(settings: ClickHouseSettings) -> Iterator[httpx.AsyncClient]:
    store = ClickHouseStore(settings)
    app = create_app(
        ApiSettings(report_keep_s=3_600), store=store, offsets=MemoryOffsets(), now=lambda: datetime.now(UTC)
    )
    yield httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    store.close()


def put(client: Client, customer: str, value: int, *, rev: int = 1, day: int = 0, run_id: int = 1) -> None:
    """One conversion of a customer in its newest form, credited to one touch on its day."""
    at_us = (DAY_0 + day) * DAY_US + 7
    conversion = Conversion(f"o-{customer}", "purchase", at_us, value, "USD")
    found = ConversionCredits(
        conversion, rev, ("linear",), ((at_us, f"t-{customer}", "email", ""),), ((1.0,),), ((value,),), ("",)
    )
    pairs = [(customer, replace(found))]
    Writer(client).write(
        {
            "attributions": attribution_rows(pairs, run_id=run_id, config_hash="h", emitted_at_us=1),
            "dirty_days": dirty_day_rows(pairs, run_id=run_id),
        }
    )


def correction(client: Client) -> None:
    put(client, "ada", 70, rev=2, day=1)
    Roller(client).drain()


def erasure(client: Client) -> None:
    Eraser(client).erase([Customer("ada", "d1", 1, "delete")])
    Roller(client).drain()


def spend(client: Client) -> None:
    Writer(client).write({"spend": spend_rows([SpendEvent("s2", DAY_0, "email", 11, "USD", offset=9)])})


def rate(client: Client) -> None:
    import_rates(client, [Rate(DATE_0, "EUR", Decimal(4))], base="USD", source="")


def promotion(client: Client) -> None:
    queries.execute(client, "runs_promote", run_id=2)


#: Change -> revenue and spend in micros afterwards; before they are 1,100 and 5 + 8 (of 16 EUR at 2 EUR for 1 USD).
CHANGES = {
    correction: (1_070, 13),
    erasure: (1_000, 13),
    spend: (1_100, 19),
    rate: (1_100, 9),
    promotion: (7, 13),
}


@pytest.mark.parametrize("basis", ["conversion_day", "touch_day"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_a_change_is_in_the_next_answer(client: Client, api: httpx.AsyncClient, change: Any, basis: str) -> None:
    put(client, "ada", 100, day=1)
    put(client, "bob", 1_000, day=2)
    put(client, "bob", 7, day=2, run_id=2)
    import_rates(client, [Rate(DATE_0, "EUR", Decimal(2))], base="USD", source="")
    Writer(client).write(
        {
            "spend": spend_rows(
                [SpendEvent("s1", DAY_0, "email", 5, "USD"), SpendEvent("s3", DAY_0, "tv", 16, "EUR", offset=1)]
            )
        }
    )
    Roller(client).drain()

    async def ask() -> tuple[tuple[int, int], str]:
        answer = await api.get(f"{PATH}&basis={basis}")
        sums = answer.json()["totals"]
        return (sums["revenue_micros"], sums["spend_micros"]), answer.headers["etag"]

    before = await ask()
    assert before == await ask()
    change(client)
    after = await ask()

    assert (before[0], after[0]) == ((1_100, 13), CHANGES[change])
    assert before[1] != after[1]


def raise_value(settings: ClickHouseSettings, is_over: threading.Event, written: list[tuple[datetime, int]]) -> None:
    """Writes a value that rises, and notes from when on it was written for certain, by the server's clock."""
    client = connect(settings)
    for value in range(2, 1_000_000):
        put(client, "ada", value, rev=value)
        now_us = queries.run(client, "rollups_begin")[0]["now_us"]
        written.append((datetime.fromtimestamp(now_us / 1e6, UTC), value))
        if is_over.wait(0.05):
            break
    client.close()


def roll(settings: ClickHouseSettings, is_over: threading.Event) -> None:
    """Two quick passes, then a full one, and so on."""
    client = connect(settings)
    roller, n = Roller(client), 0
    while not is_over.wait(0.02):
        roller.run_once(is_quick=bool(n % 3))
        n += 1
    client.close()


async def test_no_answer_is_older_than_its_meta_says(
    settings: ClickHouseSettings, client: Client, api: httpx.AsyncClient
) -> None:
    """One value rises; what it was at ``as_of`` is in the answer, while rollers work and many ask at once."""
    put(client, "ada", 1)
    Roller(client).drain()
    written: list[tuple[datetime, int]] = []
    answers: list[tuple[datetime, int]] = []
    is_over, have_moved = threading.Event(), asyncio.Event()

    async def ask(basis: str) -> None:
        while not is_over.is_set():
            answer = (await api.get(f"{PATH}&basis={basis}")).json()
            as_of = datetime.fromisoformat(answer["meta"]["as_of"])
            answers.append((as_of, answer["totals"]["revenue_micros"]))
            if len({value for _, value in answers}) > 5:
                have_moved.set()

    workers = [
        threading.Thread(target=raise_value, args=(settings, is_over, written)),
        threading.Thread(target=roll, args=(settings, is_over)),
    ]
    for worker in workers:
        worker.start()
    asking = [asyncio.create_task(ask(basis)) for basis in ("conversion_day", "touch_day") for _ in range(3)]
    await asyncio.sleep(5)
    await asyncio.wait_for(have_moved.wait(), 120)
    is_over.set()
    await asyncio.gather(*asking)
    for worker in workers:
        worker.join(60)

    for as_of, value in answers:
        assert value >= max((known for at, known in written if at <= as_of), default=1)


def test_sums_that_are_claimed_are_among_those_that_are_listed(settings: ClickHouseSettings, client: Client) -> None:
    """``standing`` sees the passes as they were before the days: the order of its branches, with time between them."""
    client.command("INSERT INTO dirty_days (run_id, day, marked_at) SELECT 1, toDate(20000), now64(6) + INTERVAL 1 DAY")
    first, *others = queries.load("standing").split("UNION ALL\n")
    slowly = first + "".join(
        # each its own number: the engine answers equal subqueries once
        f"UNION ALL SELECT toUInt8(1), toUInt32((SELECT sleep(0.03{i}))), '', toDate(0), '', "
        f"toInt64(0), toInt64(0), toInt64(0)\nUNION ALL\n{other}"
        for i, other in enumerate(others)
    )
    is_over = threading.Event()

    def build() -> None:
        mine = connect(settings)
        for us in range(1, 1_000_000):
            queries.execute(mine, "rollups_record_days", run_id=1, days=[DATE_0], built_us=[us], seen_us=[us])
            queries.execute(mine, "rollups_record_pass", ids=[1, 2], as_of_us=us)
            if is_over.is_set():
                break
        mine.close()

    builder = threading.Thread(target=build)
    builder.start()
    try:
        found = [standing.read(lambda _: list(client.query(slowly).named_results())) for _ in range(10)]
    finally:
        is_over.set()
        builder.join(60)

    claims = [(seen.as_of, seen.builds[DATE_0][0]) for seen in found if seen.as_of is not None]
    assert len({as_of for as_of, _ in claims}) > 5, "passes must have come in between"
    for as_of, seen_us in claims:
        assert as_of <= datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=seen_us)
