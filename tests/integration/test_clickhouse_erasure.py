"""Forgetting on the real engine: what goes, what stays, and that doing it again changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from attribution.config import DAY_US
from attribution.types import Conversion, ConversionCredits
from clickhouse import queries, rows
from clickhouse.client import connect
from clickhouse.erasure import Customer, Eraser
from clickhouse.errors import SinkUnavailable
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import ConversionWireEvent, IdentityEvent, TouchpointEvent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

BASE_US = 20_000 * DAY_US
DAY = date(2024, 10, 4)
TABLES = ("touchpoints", "conversions", "identities", "attributions")


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


def credits_of(customer: str, order: str) -> tuple[str, ConversionCredits]:
    conversion = Conversion(f"purchase:{order}", "purchase", BASE_US + 9, 1_000_001, "USD")
    touches = ((BASE_US, f"t-{customer}", "email", "spring"), (BASE_US + 1, f"u-{customer}", "display", ""))
    return customer, ConversionCredits(conversion, 3, ("linear",), touches, ((0.5, 0.5),), ((500_001, 500_000),), ("",))


def fill(client: Client, *customers: str) -> None:
    found = [credits_of(name, f"o-{name}") for name in customers]
    for run_id in (1, 7):
        Writer(client).write(
            {
                "touchpoints": rows.touchpoint_rows(
                    [TouchpointEvent(f"t-{c}", c, BASE_US, "email") for c in customers]
                ),
                "conversions": rows.conversion_rows([ConversionWireEvent(f"k-{c}", c, BASE_US) for c in customers]),
                "identities": rows.identity_rows([IdentityEvent(f"l-{c}", f"new-{c}", c, BASE_US) for c in customers]),
                "attributions": rows.attribution_rows(found, run_id=run_id, config_hash="h", emitted_at_us=BASE_US),
            }
        )


def count(client: Client, table: str, customer: str) -> int:
    extra = " OR previous_id = {c:String}" if table == "identities" else ""
    sql = f"SELECT count() FROM {table} WHERE customer_id = {{c:String}}{extra}"  # noqa: S608  # constant names
    return int(client.query(sql, parameters={"c": customer}).result_rows[0][0])


def total(client: Client) -> tuple[Any, ...]:
    """Value, weight and touches of the run's credits."""
    sql = "SELECT sum(value_micros), sum(weight), countIf(touchpoint_id != '') FROM credits"
    return tuple(client.query(sql).result_rows[0])


def receipts(client: Client) -> list[tuple[Any, ...]]:
    columns = "digest, policy, status, run_ids, days, touchpoints, conversions, attributions"
    found = client.query(f"SELECT {columns} FROM erasure_receipts FINAL ORDER BY digest")  # noqa: S608
    return [tuple(row) for row in found.result_rows]


def test_delete_removes_all_rows_of_all_runs_and_leaves_a_receipt(client: Client) -> None:
    """Nobody else loses anything; the days whose sums change are marked dirty in each run."""
    fill(client, "ada", "bob")
    Eraser(client).erase([Customer("ada", "aa" * 16, BASE_US, "delete")])

    assert [count(client, t, "ada") for t in TABLES] == [0, 0, 0, 0]
    assert [count(client, t, "bob") for t in TABLES] == [2, 2, 2, 2]
    assert receipts(client) == [("aa" * 16, "delete", "done", [1, 7], [DAY, DAY], 2, 2, 2)]
    assert Eraser(client).digests() == ["aa" * 16]
    dirty = client.query("SELECT run_id, day FROM dirty_days FINAL ORDER BY run_id").result_rows
    assert dirty == [(1, DAY), (7, DAY)]
    assert not client.query("SELECT name FROM system.tables WHERE name LIKE 'erasing%'").result_rows


def test_anonymize_keeps_every_total_under_ids_that_lead_nowhere(client: Client) -> None:
    """Twice gives the same rows: the new ids follow from the digest."""
    fill(client, "ada", "bob")
    before = total(client)
    for _ in range(2):
        Eraser(client).erase([Customer("ada", "aa" * 16, BASE_US, "anonymize")])

        assert total(client) == before
        assert [count(client, t, "ada") for t in TABLES] == [0, 0, 0, 0]
    names = client.query("SELECT DISTINCT customer_id, conversion_id, touchpoint_id FROM credits").result_rows
    assert not [n for row in names for n in row if "ada" in n]
    assert sum(row[0] == "" and row[1].startswith("erased-") for row in names) == 1


def test_an_erasure_that_broke_off_is_finished_when_it_is_asked_for_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are gone, marks are not set yet: the receipt still knows the days."""
    fill(client, "ada")
    eraser = Eraser(client)

    def broken(*_: object) -> None:
        raise SinkUnavailable("the engine went away")

    with monkeypatch.context() as patch:
        patch.setattr(eraser, "_mark", broken)
        with pytest.raises(SinkUnavailable):
            eraser.erase([Customer("ada", "aa" * 16, BASE_US, "delete")])
    assert [row[2] for row in receipts(client)] == ["started"]
    assert count(client, "attributions", "ada") == 0
    eraser.erase([Customer("ada", "aa" * 16, BASE_US, "delete")])

    assert [(row[2], row[4]) for row in receipts(client)] == [("done", [DAY, DAY])]
    assert len(client.query("SELECT 1 FROM dirty_days FINAL").result_rows) == 2


def test_asking_twice_does_not_make_the_receipt_say_that_nothing_went(client: Client) -> None:
    """A replay of the request finds no rows any more."""
    fill(client, "ada")
    for _ in range(2):
        Eraser(client).erase([Customer("ada", "aa" * 16, BASE_US, "delete")] * 2)

    assert receipts(client) == [("aa" * 16, "delete", "done", [1, 7], [DAY, DAY], 2, 2, 2)]


def test_a_mutation_that_lost_its_ids_does_not_hold_up_the_next_erasure(client: Client) -> None:
    """As after a restart of the server in the middle: the table in memory is gone, the mutation is not."""
    fill(client, "ada")
    client.command("CREATE TABLE erasing_0 (customer_id String) ENGINE = Memory")
    client.command("SYSTEM STOP MERGES touchpoints")
    lost = "ALTER TABLE touchpoints DELETE WHERE customer_id IN (SELECT customer_id FROM erasing_0)"
    client.command(f"{lost} SETTINGS mutations_sync = 0")
    client.command("DROP TABLE erasing_0 SYNC")
    client.command("SYSTEM START MERGES touchpoints")
    deadline = time.monotonic() + 120
    while not queries.run(client, "erasure_mutations_stuck", prefix="erasing_"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    Eraser(client).erase([Customer("ada", "aa" * 16, BASE_US, "delete")])

    assert [count(client, t, "ada") for t in TABLES] == [0, 0, 0, 0]


def test_nobody_to_forget_is_nothing_to_do(client: Client) -> None:
    """An unknown customer gets a receipt too: the request was met."""
    Eraser(client).erase([Customer("stranger", "bb" * 16, BASE_US, "delete")])

    assert receipts(client) == [("bb" * 16, "delete", "done", [], [], 0, 0, 0)]
    assert queries.run(client, "erasure_days_begun", digests=["bb" * 16]) == []
