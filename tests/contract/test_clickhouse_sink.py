"""One suite for every sink: the writer on a real engine and the list in memory."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from attribution.config import DAY_US
from attribution.types import Conversion, ConversionCredits
from clickhouse.client import connect
from clickhouse.errors import SinkRejected, SinkUnavailable
from clickhouse.fx import Rate, rate_rows
from clickhouse.rows import (
    CustomerCredits,
    DeadLetter,
    Progress,
    attribution_rows,
    conversion_rows,
    dead_letter_rows,
    dirty_day_rows,
    identity_rows,
    progress_rows,
    run_rows,
    spend_rows,
    touchpoint_rows,
)
from clickhouse.settings import ClickHouseSettings
from clickhouse.tables import BY_NAME
from clickhouse.testing import MemorySink
from clickhouse.writer import Sink, Writer
from schemas.events import ConversionWireEvent, IdentityEvent, SpendEvent, TouchpointEvent

BASE_US = 20_000 * DAY_US
CREDITS = ConversionCredits(
    Conversion("purchase:o1", "purchase", BASE_US + 5, 10_000_001, "USD"),
    rev=4,
    models=("linear", "last_touch"),
    touches=((BASE_US, "t1", "email", "spring"), (BASE_US + 1, "t2", "paid_search", "")),
    weights=((0.5, 0.5), (0.0, 1.0)),
    micros=((5_000_001, 5_000_000), (0, 10_000_001)),
    fallbacks=("", ""),
)
GONE = replace(CREDITS, rev=9, conversion=replace(CREDITS.conversion, is_live=False), touches=(), weights=(), micros=())


class Readable:
    """A sink and a way to read what it shows."""

    def __init__(self, sink: Sink, final: Callable[[str], list[dict[str, Any]]]) -> None:
        self.write = sink.write
        self.final = final


@pytest.fixture(params=["memory", pytest.param("engine", marks=pytest.mark.clickhouse)])
def sink(request: pytest.FixtureRequest) -> Iterator[Readable]:
    if request.param == "memory":
        memory = MemorySink()
        yield Readable(memory, memory.final)
        return
    settings = ClickHouseSettings(
        url=request.getfixturevalue("clickhouse_url"), database=request.getfixturevalue("clickhouse_database")
    )
    client = connect(settings)

    def final(name: str) -> list[dict[str, Any]]:
        table = BY_NAME[name]
        columns = ", ".join(f"`{column.name}`" for column in table.columns)
        order = ", ".join(table.key)
        found = client.query(f"SELECT {columns} FROM {name} FINAL ORDER BY {order}")  # noqa: S608 - declared names
        rows = [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]
        return [{k: list(v.items()) if isinstance(v, dict) else v for k, v in row.items()} for row in rows]

    yield Readable(Writer(client), final)
    client.close()


def attributions(*pairs: CustomerCredits) -> dict[str, pa.Table]:
    return {"attributions": attribution_rows(pairs, run_id=7, config_hash="abc", emitted_at_us=BASE_US)}


def unstamped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the engine's own time of the insert."""
    return [{name: value for name, value in row.items() if name != "inserted_at"} for row in rows]


def test_what_is_written_is_read_back_with_its_types(sink: Readable) -> None:
    tables = attributions(("c1", CREDITS))

    assert sink.write(tables) == 1

    assert unstamped(sink.final("attributions")) == [
        {**row, "fallbacks": [], "model_version": ""} for row in tables["attributions"].to_pylist()
    ]


def test_a_model_that_stood_in_is_told_for_each_model(sink: Readable) -> None:
    sink.write(attributions(("c1", CREDITS), ("c1", replace(CREDITS, rev=5, fallbacks=("", "linear")))))

    (row,) = sink.final("attributions")

    assert (row["models"], row["fallbacks"]) == (["linear", "last_touch"], ["", "linear"])


def test_every_declared_table_is_written_and_read_back(sink: Readable) -> None:
    tables = {
        "touchpoints": touchpoint_rows(
            [
                TouchpointEvent("e1", "c", BASE_US, "email", click_ids={"gclid": "x"}, cost_micros=-5),
                TouchpointEvent("e2", "c", BASE_US + 1, "paid_search", campaign="é'\\\n\t", properties={"k": "v"}),
            ]
        ),
        "conversions": conversion_rows(
            [ConversionWireEvent("k", "c", BASE_US, order_id="o1", value_micros=2**62, sent_at_us=BASE_US)]
        ),
        "spend": spend_rows([SpendEvent("s", 20_000, "email", 5, "EUR", impressions=3, received_at_us=BASE_US)]),
        "identities": identity_rows([IdentityEvent("l", "c", "d", BASE_US, traits={"k": "v"})]),
        "fx_rates": rate_rows([Rate(date(2026, 1, 1), "USD", Decimal("1.1"))], base="EUR", source="f", version=3),
        "runs": run_rows(7, label="trial", models=["linear"], config_hash="h", config_json="{}"),
        **attributions(("c1", CREDITS)),
        "dead_letters": dead_letter_rows(
            [DeadLetter("t", 2, 5, "undecodable", "", "not JSON", "decode", BASE_US, 2 * BASE_US, 1)]
        ),
        "dirty_days": dirty_day_rows([("c1", CREDITS)], run_id=7),
        "worker_progress": progress_rows("app", [Progress("t", 2, 6, BASE_US)], run_id=7),
    }
    assert tables.keys() == BY_NAME.keys()

    assert sink.write(tables) == sum(table.num_rows for table in tables.values())

    for name, table in tables.items():
        # the tables that a migration has filled keep those rows
        read = [row for row in sink.final(name) if row.get("run_id", 7) == 7]
        written = sorted(table.to_pylist(), key=lambda row: str(row.get("event_id")))
        for row, sent in zip(read, written, strict=True):
            for column, value in sent.items():
                blank: Any = [] if pa.types.is_map(BY_NAME_TYPES[name][column]) else ""
                assert row[column] == (blank if value is None else value), f"{name}.{column}"


BY_NAME_TYPES = {name: {c.name: c.arrow_type for c in table.columns} for name, table in BY_NAME.items()}


def test_what_is_left_out_or_null_is_the_default(sink: Readable) -> None:
    sink.write(
        {
            "touchpoints": touchpoint_rows(
                [TouchpointEvent("e1", "c", 1, "email", campaign="x"), TouchpointEvent("e2", "c", 2, "email")]
            )
        }
    )

    first, second = sink.final("touchpoints")

    assert (first["campaign"], second["campaign"]) == ("x", "")
    assert (first["source"], first["cost_micros"], first["properties"]) == ("", 0, [])


def test_the_same_write_twice_shows_once(sink: Readable) -> None:
    tables = {
        "touchpoints": touchpoint_rows([TouchpointEvent("e", "c", 1, "email")]),
        "conversions": conversion_rows([ConversionWireEvent("k", "c", 1)]),
        "spend": spend_rows([SpendEvent("s", 1, "email", 5, "USD")]),
        **attributions(("c1", CREDITS)),
    }
    sink.write(tables)
    once = {name: unstamped(sink.final(name)) for name in tables}

    assert sink.write(tables) == 4

    assert {name: unstamped(sink.final(name)) for name in tables} == once


@pytest.mark.parametrize("is_late", [False, True])
def test_the_higher_rev_replaces_in_any_order_of_arrival(sink: Readable, is_late: bool) -> None:
    older = replace(CREDITS, rev=3, touches=CREDITS.touches[:1], weights=((1.0,),) * 2, micros=((1,), (1,)))
    for credits_ in (CREDITS, older) if is_late else (older, CREDITS):
        sink.write(attributions(("c1", credits_)))

    rows = sink.final("attributions")

    assert [(row["rev"], row["t.id"]) for row in rows] == [(4, ["t1", "t2"])]


def test_a_conversion_that_is_gone_is_not_shown(sink: Readable) -> None:
    sink.write(attributions(("c1", CREDITS)))
    sink.write(attributions(("c1", GONE)))

    assert sink.final("attributions") == []


def test_a_conversion_that_came_back_is_shown(sink: Readable) -> None:
    sink.write(attributions(("c1", GONE)))
    sink.write(attributions(("c1", replace(CREDITS, rev=10))))

    assert [row["rev"] for row in sink.final("attributions")] == [10]


def test_a_conversion_that_moved_to_another_day_leaves_nothing_behind(sink: Readable) -> None:
    moved = replace(
        CREDITS.conversion, at_us=CREDITS.conversion.at_us - 40 * DAY_US, former_at_us=(CREDITS.conversion.at_us,)
    )
    sink.write(attributions(("c1", CREDITS)))
    sink.write(attributions(("c1", replace(CREDITS, rev=5, conversion=moved))))

    days = {(row["conversion_id"], row["converted_at"].date().isoformat()) for row in sink.final("attributions")}

    assert days == {("purchase:o1", "2024-08-25")}


def test_a_conversion_that_moved_within_its_day_is_replaced(sink: Readable) -> None:
    moved = replace(CREDITS.conversion, at_us=BASE_US + 9, former_at_us=(CREDITS.conversion.at_us,))
    sink.write(attributions(("c1", CREDITS)))
    sink.write(attributions(("c1", replace(CREDITS, rev=5, conversion=moved))))

    assert [row["converted_at"].microsecond for row in sink.final("attributions")] == [9]


def test_later_spend_of_the_same_day_replaces_also_in_another_currency(sink: Readable) -> None:
    def spend(cost: int, currency: str, ms: int, offset: int) -> SpendEvent:
        return SpendEvent("s", 1, "email", cost, currency, received_at_us=ms * 1000, offset=offset)

    sink.write({"spend": spend_rows([spend(3, "EUR", 1_000, 8), spend(1, "USD", 999, 9), spend(2, "USD", 1_000, 7)])})

    assert [(row["cost_micros"], row["currency"]) for row in sink.final("spend")] == [(3, "EUR")]


def test_runs_are_kept_apart(sink: Readable) -> None:
    sink.write(attributions(("c1", CREDITS)))
    sink.write({"attributions": attribution_rows([("c1", GONE)], run_id=8, config_hash="x", emitted_at_us=1)})

    assert [row["run_id"] for row in sink.final("attributions")] == [7]


def test_events_of_many_months_fit_in_one_write(sink: Readable) -> None:
    events = [TouchpointEvent(f"e{i}", "c", i * 31 * DAY_US, "email") for i in range(150)]

    assert sink.write({"touchpoints": touchpoint_rows(events)}) == 150
    assert len(sink.final("touchpoints")) == 150


def test_empty_tables_write_nothing(sink: Readable) -> None:
    assert sink.write({"touchpoints": touchpoint_rows([]), **attributions()}) == 0
    assert sink.write({}) == 0


@pytest.mark.parametrize(
    "tables",
    [
        {"nowhere": pa.table({"x": [1]})},
        {"dirty_days": pa.table({"run_id": pa.array([1], pa.uint32()), "nothing": [1]})},
        {"dirty_days": pa.table({"run_id": pa.array([[1]]), "day": pa.array([1], pa.date32())})},
    ],
    ids=["table", "column", "type"],
)
def test_what_the_schema_does_not_have_is_refused(sink: Readable, tables: dict[str, pa.Table]) -> None:
    with pytest.raises(SinkRejected):
        sink.write(tables)


@pytest.mark.clickhouse
def test_an_engine_that_does_not_answer_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        settings = ClickHouseSettings(url=f"http://127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(SinkUnavailable, match="CLICKHOUSE_URL"):
            connect(settings)


def test_a_failure_between_two_tables_leaves_the_first_and_no_mark() -> None:
    sink = MemorySink()
    sink.fail_next(SinkUnavailable("down"), before="dirty_days")
    tables = {"dirty_days": dirty_day_rows([("c1", CREDITS)], run_id=7), **attributions(("c1", CREDITS))}

    with pytest.raises(SinkUnavailable):
        sink.write(tables)

    assert sink.inserts == [("attributions", 1)]
