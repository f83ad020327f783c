"""Views and lookups over the active run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from attribution.config import DAY_US
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits
from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.rows import (
    DeadLetter,
    Progress,
    attribution_rows,
    conversion_rows,
    dead_letter_rows,
    progress_rows,
    touchpoint_rows,
)
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import ConversionWireEvent, TouchpointEvent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

BASE_US = 20_000 * DAY_US
BASE = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=20_000)
CREDITS = ConversionCredits(
    Conversion("purchase:o1", "purchase", BASE_US + 5, 10_000_001, "USD"),
    rev=4,
    models=("last_touch", "linear"),
    touches=((BASE_US, "t1", "email", "spring"), (BASE_US + 1, "t2", "paid_search", "")),
    weights=((0.0, 1.0), (0.5, 0.5)),
    micros=((0, 10_000_001), (5_000_001, 5_000_000)),
    fallbacks=("", "linear"),
    truncated=True,
)


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


def put(client: Client, customer_id: str, *credits_: ConversionCredits, run_id: int = 1) -> None:
    pairs = [(customer_id, c) for c in credits_]
    rows = attribution_rows(pairs, run_id=run_id, config_hash="h", emitted_at_us=BASE_US)
    Writer(client).write({"attributions": rows})


def results(client: Client, customer_id: str, model: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Of the view ``credits``."""
    bound = {"customer": customer_id, "model": model, "limit": limit}
    sql = """
        SELECT * FROM credits WHERE customer_id = {customer:String} AND ({model:String} = '' OR model = {model:String})
        ORDER BY converted_at, conversion_id, model, position LIMIT {limit:UInt32}
    """
    return list(client.query(sql, parameters=bound).named_results())


def test_credits_are_the_long_form_of_the_newest_rows(client: Client) -> None:
    put(client, "c1", replace(CREDITS, rev=3, touches=CREDITS.touches[:1], weights=((1.0,),) * 2, micros=((9,),) * 2))
    put(client, "c1", CREDITS)

    rows = client.query("SELECT * FROM credits ORDER BY model, position").result_rows

    head = (1, "purchase:o1", "c1", "purchase", BASE + timedelta(microseconds=5), "USD")
    expected = [
        (
            head[0],
            model,
            *head[1:],
            position + 1,
            CREDITS.touches[position][1],
            BASE + timedelta(microseconds=position),
            CREDITS.touches[position][2],
            CREDITS.touches[position][3],
            CREDITS.weights[m][position],
            CREDITS.micros[m][position],
            4,
        )
        for m, model in enumerate(CREDITS.models)
        for position in range(2)
    ]
    assert rows == expected


def test_a_conversion_without_a_touch_is_one_unattributed_credit(client: Client) -> None:
    alone = replace(
        CREDITS,
        touches=((BASE_US + 5, "", UNATTRIBUTED, ""),),
        weights=((1.0,),) * 2,
        micros=((10_000_001,),) * 2,
    )
    put(client, "c1", alone)

    rows = results(client, "c1", "linear")
    summary = client.query(
        "SELECT model, touchpoints, value_micros FROM conversions_attributed ORDER BY model"
    ).result_rows

    assert [(r["channel"], r["touchpoint_id"], r["position"], r["value_micros"]) for r in rows] == [
        (UNATTRIBUTED, "", 1, 10_000_001)
    ]
    assert summary == [("last_touch", 0, 10_000_001), ("linear", 0, 10_000_001)]


def test_conversions_attributed_has_one_row_per_model(client: Client) -> None:
    put(client, "c1", CREDITS)

    rows = client.query(
        "SELECT model, path, touchpoints, value_micros, fallback, truncated FROM conversions_attributed ORDER BY model"
    ).result_rows

    path = ["email", "paid_search"]
    assert rows == [("last_touch", path, 2, 10_000_001, "", 1), ("linear", path, 2, 10_000_001, "linear", 1)]


def test_the_views_show_the_run_that_is_active(client: Client) -> None:
    put(client, "c1", CREDITS)
    put(client, "c1", replace(CREDITS, models=("linear",), weights=((0.0, 1.0),), micros=((0, 7),)), run_id=2)
    assert {row["run_id"] for row in results(client, "c1")} == {1}

    client.command("INSERT INTO active_run (id, run_id) VALUES (1, 2)")

    assert [(row["run_id"], row["value_micros"]) for row in results(client, "c1")] == [(2, 0), (2, 7)]


def test_a_conversion_that_moved_to_another_customer_is_found_there_alone(client: Client) -> None:
    """Identities merge; each write is a part of its own, so the skip index sees the old row by itself."""
    put(client, "old", CREDITS)
    put(client, "survivor", replace(CREDITS, rev=9))

    assert results(client, "old") == []
    assert {row["customer_id"] for row in results(client, "survivor")} == {"survivor"}


def test_a_deleted_conversion_is_found_no_more_by_its_customer(client: Client) -> None:
    put(client, "c1", CREDITS)
    gone = replace(CREDITS.conversion, is_live=False)
    put(client, "c1", replace(CREDITS, conversion=gone, rev=5, touches=(), weights=(), micros=()))

    assert results(client, "c1") == []


def test_results_can_be_limited_to_a_model_and_a_number(client: Client) -> None:
    put(client, "c1", CREDITS)

    assert [row["model"] for row in results(client, "c1", "linear")] == ["linear", "linear"]
    assert len(results(client, "c1", limit=3)) == 3
    assert results(client, "c2") == []


def test_a_customers_rows_are_found_without_reading_the_others(client: Client) -> None:
    """The plan of the lookup: of many granules few remain."""
    batch = [
        (f"c{i}", replace(CREDITS, conversion=replace(CREDITS.conversion, conversion_id=f"o{i:06}")))
        for i in range(40_000)
    ]
    Writer(client).write(
        {"attributions": attribution_rows(batch, run_id=1, config_hash="h", emitted_at_us=1)},
    )
    bound = {"customer": "c777"}
    lookup = """
        SELECT * FROM credits WHERE customer_id = {customer:String}
        SETTINGS use_skip_indexes_if_final = 1, use_skip_indexes_if_final_exact_mode = 1
    """

    plan = client.query(f"EXPLAIN indexes = 1 {lookup}", parameters=bound).result_rows
    text = "\n".join(row[0] for row in plan)
    skipped = text[text.index("customer_id_bloom") :].split("Granules: ")[1].split()[0].split("/")

    assert len(results(client, "c777")) == 4
    assert int(skipped[0]) <= 2
    assert int(skipped[1]) >= 5


def test_a_journey_is_in_order_and_holds_each_event_once(client: Client) -> None:
    touches = [TouchpointEvent(f"t{i}", "c1", BASE_US + i, "email", campaign="x") for i in range(5)]
    other = TouchpointEvent("z", "c2", BASE_US, "email")
    purchase = ConversionWireEvent("k", "c1", BASE_US + 3, order_id="o1", value_micros=5)
    refund = ConversionWireEvent("r", "c1", BASE_US + 9, status="refunded", adjusts="o1", value_micros=2)
    tables = {"touchpoints": touchpoint_rows([*touches, other]), "conversions": conversion_rows([refund, purchase])}
    Writer(client).write(tables)
    Writer(client).write(tables)

    def journey(limit: int) -> list[str]:
        return [row["event_id"] for row in page(limit)]

    def page(limit: int) -> list[dict[str, Any]]:
        return queries.run(
            client, "journey_page", customer_id="c1", has_after=0, after_us=0, after_rank=0, after_id="", limit=limit
        )

    assert journey(100) == ["t0", "t1", "t2", "t3", "k", "t4", "r"]
    assert journey(2) == ["t0", "t1"]
    assert [(row["order_id"], row["adjusts"], row["status"]) for row in page(100) if row["kind"] == "conversion"] == [
        ("o1", "", "completed"),
        ("", "o1", "refunded"),
    ]


def test_progress_and_dead_letters_are_shown_once_and_as_last_reported(client: Client) -> None:
    writer = Writer(client)
    for offset in (5, 3):
        writer.write(
            {
                "worker_progress": progress_rows(
                    "app", [Progress("t", p, offset + p, p * BASE_US) for p in (0, 1)], run_id=1
                )
            }
        )
    letter = DeadLetter("t", 2, 5, "undecodable", "", "not JSON", "decode", BASE_US, 2 * BASE_US, 1)
    for _ in range(2):
        writer.write(
            {
                "dead_letters": dead_letter_rows(
                    [letter, letter._replace(offset=6), letter._replace(reason="x", offset=7)]
                )
            }
        )

    status = queries.run(client, "data_status")
    letters = queries.run(client, "dead_letters_by_reason")

    assert [(row["partition"], row["offset"], row["watermark"]) for row in status] == [(0, 3, None), (1, 4, BASE)]
    assert [(row["reason"], row["records"]) for row in letters] == [("undecodable", 2), ("x", 1)]


def test_the_watermark_is_the_least_of_the_moving_partitions(client: Client) -> None:
    put_progress = [Progress("t", 0, 5, BASE_US + 7), Progress("t", 1, 5, BASE_US + 3), Progress("t", 2, 0, 0)]
    Writer(client).write({"worker_progress": progress_rows("app", put_progress, run_id=1)})
    client.command("INSERT INTO worker_progress SELECT 1, 'app', 't', 3, 9, 5, now64(6) - INTERVAL 2 MINUTE")

    found = standing.read(partial(queries.run, client))

    assert found.watermark == BASE + timedelta(microseconds=3)
