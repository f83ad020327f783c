"""The declared columns are those of the migrated engine, and every query answers what its description says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from reports import read_report

from api.store import ChannelRow
from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from clickhouse.tables import WRITE_ORDER, Table

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

#: ClickHouse's rows about itself; tests look at the engine, so their SQL stands here.
DESCRIBE = """
    SELECT name, type, default_kind, default_expression FROM system.columns
    WHERE database = currentDatabase() AND table = {t:String} ORDER BY position
"""
ENGINE = "SELECT engine_full, sorting_key FROM system.tables WHERE database = currentDatabase() AND name = {t:String}"


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


@pytest.mark.parametrize("table", WRITE_ORDER, ids=lambda t: t.name)
def test_declared_columns_are_those_of_the_engine(client: Client, table: Table) -> None:
    live = [row for row in client.query(DESCRIBE, parameters={"t": table.name}).result_rows if row[2] != "ALIAS"]

    assert [(name, kind) for name, kind, *_ in live] == [(c.name, c.clickhouse_type) for c in table.columns]


@pytest.mark.parametrize("table", WRITE_ORDER, ids=lambda t: t.name)
def test_a_default_is_the_blank_value_or_the_servers_clock(client: Client, table: Table) -> None:
    columns = client.query(DESCRIBE, parameters={"t": table.name}).result_rows
    live = {name: expression for name, _, kind, expression in columns if kind == "DEFAULT"}
    empty = {"click_ids", "properties", "traits", "fallbacks", "unit"}  # maps, lists, part of a key

    assert live.keys() | empty >= {c.name for c in table.columns if c.optional} >= live.keys()
    assert {e for n, e in live.items() if n.endswith("_at")} <= {"now64(6)"}
    assert {e for n, e in live.items() if not n.endswith("_at")} <= {"''", "0"}


@pytest.mark.parametrize("table", WRITE_ORDER, ids=lambda t: t.name)
def test_declared_key_and_version_are_those_of_the_engine(client: Client, table: Table) -> None:
    engine, sorting_key = client.query(ENGINE, parameters={"t": table.name}).result_rows[0]
    arguments = ", ".join(filter(None, (table.version, table.deleted_flag)))

    assert engine.startswith(f"ReplacingMergeTree({arguments})")
    of_time = "toDate(converted_at), intDiv(toUnixTimestamp64Micro(converted_at), 60000000)"
    assert sorting_key.replace(of_time, "converted_at") == ", ".join(table.key)


MONEY: dict[str, Any] = {"currency": "USD", "fx_max_age_days": 7}
DAYS: dict[str, Any] = {"start": date(2026, 1, 1), "end": date(2026, 1, 31)}
CREDITS = {**MONEY, "run_id": 1, "days": [date(2026, 1, 1)], "model": "linear", "conversion_type": ""}
CREDIT_COLUMNS = "day channel has_usable conversions revenue_micros touchpoints converted left_out"
SERVED: dict[str, tuple[dict[str, Any], str]] = {
    "report_credits": (CREDITS, CREDIT_COLUMNS),
    "report_credits_touch": ({**CREDITS, **DAYS}, CREDIT_COLUMNS),
    "report_spend": ({**MONEY, **DAYS}, "channel has_usable spend_micros converted left_out spend_through"),
    "standing": ({}, "part run_id name day text a b c latest total rows"),
    "data_status": ({}, "run_id app topic partition offset watermark updated_at"),
    "dead_letters_by_reason": ({}, "topic reason stage records last_failed_at"),
}


@pytest.mark.parametrize("name", SERVED)
def test_a_query_takes_and_answers_what_is_published(client: Client, name: str) -> None:
    bound, columns = SERVED[name]

    answer = client.query(f"DESCRIBE ({queries.load(name)})", parameters=bound)

    assert [row[0] for row in answer.result_rows] == columns.split()
    assert queries.parameters(name) == bound.keys()


@pytest.mark.parametrize("name", SERVED)
def test_the_description_of_the_queries_names_every_parameter_and_column(name: str) -> None:
    bound, columns = SERVED[name]
    described = queries.__doc__ or ""

    assert f"\n{name} " in described
    for word in (*bound, *columns.split()):
        assert re.search(rf"\b{word}\b", described), word


def test_an_empty_store_answers_with_the_unattributed_row_and_unknown_times(client: Client) -> None:
    found = standing.read(partial(queries.run, client))
    page = read_report(client, basis="conversion_day", model="linear", conversion_type="", **MONEY, **DAYS)

    assert page.rows == [ChannelRow("unattributed", 0.0, 0, 0, 0, None)]
    assert (found.run_id, found.as_of, found.touch_as_of, found.watermark) == (1, None, None, None)
    assert (found.dirty_days, found.builds) == (0, {})


def test_the_views_have_the_published_columns(client: Client) -> None:
    published = {
        "credits": "run_id model conversion_id customer_id conversion_type converted_at currency position "
        "touchpoint_id touched_at channel campaign weight value_micros rev",
        "channel_performance": "day model channel campaign currency conversions value_micros spend_micros touchpoints",
        "channel_performance_by_touch_day": "day model channel campaign currency conversions value_micros spend_micros "
        "touchpoints",
        "credits_by_touch_day": "run_id day touch_day model channel campaign currency conversion_type conversions "
        "value_micros touchpoints",
        "conversions_attributed": "run_id model conversion_id customer_id conversion_type converted_at value_micros "
        "currency path touchpoints fallback truncated config_hash model_version rev emitted_at",
    }
    for view, columns in published.items():
        assert [row[0] for row in client.query(DESCRIBE, parameters={"t": view}).result_rows] == columns.split()
