"""Columnar rows equal a plain row-by-row construction."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.config import DAY_US
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits
from clickhouse import rows
from clickhouse.tables import BY_NAME, Table
from schemas.events import ConversionWireEvent, IdentityEvent, SpendEvent, TouchpointEvent

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
AT_US = st.integers(0, 60_000 * DAY_US)
MICROS = st.integers(-(2**63), 2**63 - 1)
WEIGHT = st.floats(0, 1)
MODELS = st.lists(st.sampled_from(["linear", "last_touch", "time_decay", "custom"]), min_size=1, unique=True).map(tuple)


@st.composite
def conversion_credits(draw: st.DrawFn) -> ConversionCredits:
    is_live = draw(st.booleans())
    at_us = draw(AT_US)
    models = draw(MODELS)
    touches = tuple(draw(st.lists(st.tuples(AT_US, TEXT, TEXT, TEXT), min_size=1, max_size=4))) if is_live else ()
    n = len(touches)
    conversion = Conversion(
        draw(TEXT),
        draw(TEXT),
        at_us,
        draw(MICROS),
        draw(TEXT),
        is_live=is_live,
        former_at_us=tuple(draw(st.lists(st.one_of(AT_US, st.just(at_us), st.just(at_us + 1)), max_size=3))),
    )
    return ConversionCredits(
        conversion,
        draw(st.integers(0, 2**64 - 1)),
        models,
        touches,
        tuple(draw(st.tuples(*[WEIGHT] * n)) for _ in models) if is_live else (),
        tuple(draw(st.tuples(*[MICROS] * n)) for _ in models) if is_live else (),
        draw(st.sampled_from([("",) * len(models), ("linear",) * len(models)])),
        draw(st.booleans()),
        draw(st.sampled_from(("", "fit-1"))),
    )


PAIRS = st.lists(st.tuples(TEXT, conversion_credits()), max_size=5)


def when(us: int | None) -> datetime:
    return EPOCH + timedelta(microseconds=us or 0)


def row_by_row(customer_id: str, c: ConversionCredits, at_us: int, *, deleted: bool) -> dict[str, Any]:
    touches = () if deleted else c.touches
    return {
        "run_id": 3,
        "conversion_id": c.conversion.conversion_id,
        "customer_id": customer_id,
        "conversion_type": c.conversion.conversion_type,
        "converted_at": when(at_us),
        "value_micros": c.conversion.value_micros,
        "currency": c.conversion.currency,
        "models": list(c.models),
        "fallbacks": list(c.fallbacks) if any(c.fallbacks) else [],
        "t.id": [t[1] for t in touches],
        "t.at": [when(t[0]) for t in touches],
        "t.channel": [t[2] for t in touches],
        "t.campaign": [t[3] for t in touches],
        "t.weights": [[c.weights[m][i] for m in range(len(c.models))] for i in range(len(touches))],
        "t.value_micros": [[c.micros[m][i] for m in range(len(c.models))] for i in range(len(touches))],
        "truncated": int(c.truncated),
        "config_hash": "abc",
        "model_version": c.model_version,
        "rev": c.rev,
        "is_deleted": int(deleted),
        "emitted_at": when(1_700_000_000_123_000),
    }


def attribution_table(pairs: list[tuple[str, ConversionCredits]]) -> pa.Table:
    return rows.attribution_rows(pairs, run_id=3, config_hash="abc", emitted_at_us=1_700_000_000_123_456)


@given(PAIRS)
def test_attribution_rows_equal_a_row_by_row_construction(pairs: list[tuple[str, ConversionCredits]]) -> None:
    expected: list[dict[str, Any]] = []
    for customer_id, c in pairs:
        expected.append(row_by_row(customer_id, c, c.conversion.at_us, deleted=not c.conversion.is_live))
    for customer_id, c in pairs:
        by_minute = {at // rows.MINUTE_US: at for at in c.conversion.former_at_us}
        for minute, at in by_minute.items():
            if minute != c.conversion.at_us // rows.MINUTE_US:
                expected.append(row_by_row(customer_id, c, at, deleted=True))

    assert [{"fallbacks": [], "model_version": "", **row} for row in attribution_table(pairs).to_pylist()] == expected


@given(PAIRS)
def test_dirty_days_are_the_days_of_the_attribution_rows(pairs: list[tuple[str, ConversionCredits]]) -> None:
    written = {row["converted_at"].date() for row in attribution_table(pairs).to_pylist()}
    marked = rows.dirty_day_rows(pairs, run_id=3).select(["day", "unit"]).to_pylist()

    assert {row["day"] for row in marked} == written
    assert len(marked) == len({(row["day"], row["unit"]) for row in marked})


@pytest.mark.parametrize("at_us", [-DAY_US, 10**18])
def test_a_day_out_of_range_is_held_at_the_ends_of_the_calendar(at_us: int) -> None:
    assert rows.day_of(at_us) == (0 if at_us < 0 else 2**16 - 1)


def test_a_conversion_without_a_touch_is_one_unattributed_element() -> None:
    credits_ = ConversionCredits(
        Conversion("o", "purchase", 5, 7, "USD"),
        1,
        ("linear",),
        ((5, "", UNATTRIBUTED, ""),),
        ((1.0,),),
        ((7,),),
        ("",),
    )

    row = attribution_table([("c", credits_)]).to_pylist()[0]

    assert (row["t.id"], row["t.at"], row["t.channel"], row["t.campaign"]) == ([""], [when(5)], [UNATTRIBUTED], [""])
    assert (row["t.weights"], row["t.value_micros"], row["is_deleted"]) == ([[1.0]], [[7]], 0)


OPTIONAL = st.none() | TEXT
MAPS = st.none() | st.dictionaries(TEXT, TEXT, max_size=2)
TOUCHPOINTS = st.lists(
    st.builds(
        TouchpointEvent,
        event_id=TEXT,
        customer_id=TEXT,
        occurred_at_us=AT_US,
        channel=TEXT,
        campaign=OPTIONAL,
        touch_type=TEXT,
        source=OPTIONAL,
        click_ids=MAPS,
        cost_micros=MICROS | st.just(0),
        properties=MAPS,
        received_at_us=AT_US,
    ),
    max_size=5,
)
CONVERSIONS = st.lists(
    st.builds(
        ConversionWireEvent,
        event_id=TEXT,
        customer_id=TEXT,
        occurred_at_us=AT_US,
        order_id=OPTIONAL,
        value_micros=MICROS | st.just(0),
        adjusts=OPTIONAL,
        properties=MAPS,
        received_at_us=AT_US,
    ),
    max_size=5,
)
SPENDS = st.lists(
    st.builds(
        SpendEvent,
        event_id=TEXT,
        spend_day=st.integers(0, 2**16 - 1),
        channel=TEXT,
        cost_micros=MICROS,
        currency=TEXT,
        campaign=OPTIONAL,
        impressions=st.integers(0, 2**40),
        received_at_us=AT_US,
        offset=st.integers(0, 2**40),
    ),
    max_size=5,
)


def read_back(table: Table, written: pa.Table) -> list[dict[str, Any]]:
    """Rows as the table would hold them: what is left out or null is its default."""
    blank: dict[str, Any] = {}
    for column in table.columns:
        kind = column.arrow_type
        blank[column.name] = [] if pa.types.is_map(kind) else "" if pa.types.is_string(kind) else 0
    return [{n: row.get(n) or default for n, default in blank.items()} for row in written.to_pylist()]


def event_row_by_row(table: Table, event: msgspec.Struct) -> dict[str, Any]:
    row: dict[str, Any] = {column.name: "" for column in table.columns if column.beside}
    for column in (column for column in table.columns if not column.beside):
        if column.name == "version":
            row["version"] = event.received_at_us // 1000 * 2**20 + event.offset % 2**20  # type: ignore[attr-defined]  # spend only
        elif column.name == "spend_date":
            row["spend_date"] = date(1970, 1, 1) + timedelta(days=event.spend_day)  # type: ignore[attr-defined]  # spend only
        elif column.name.endswith("_at"):
            row[column.name] = when(getattr(event, f"{column.name}_us"))
        else:
            value = getattr(event, column.name)
            is_map = pa.types.is_map(column.arrow_type)
            empty: Any = [] if is_map else "" if pa.types.is_string(column.arrow_type) else 0
            row[column.name] = list((value or {}).items()) if is_map else value or empty
    return row


@given(TOUCHPOINTS)
def test_touchpoint_rows_equal_a_row_by_row_construction(events: list[TouchpointEvent]) -> None:
    table = BY_NAME["touchpoints"]
    assert read_back(table, rows.touchpoint_rows(events)) == [event_row_by_row(table, e) for e in events]


@given(CONVERSIONS)
def test_conversion_rows_equal_a_row_by_row_construction(events: list[ConversionWireEvent]) -> None:
    table = BY_NAME["conversions"]
    assert read_back(table, rows.conversion_rows(events)) == [event_row_by_row(table, e) for e in events]


@given(SPENDS)
def test_spend_rows_equal_a_row_by_row_construction(events: list[SpendEvent]) -> None:
    table = BY_NAME["spend"]
    assert read_back(table, rows.spend_rows(events)) == [event_row_by_row(table, e) for e in events]


@given(st.integers(0, 2**42), st.integers(0, 2**20 - 2))
def test_spend_that_arrived_later_has_the_higher_version(received_at_ms: int, offset: int) -> None:
    def spend(ms: int, offset: int) -> SpendEvent:
        return SpendEvent("e", 1, "search", 1, "USD", received_at_us=ms * 1000, offset=offset)

    events = [spend(received_at_ms, offset), spend(received_at_ms, offset + 1), spend(received_at_ms + 1, 0)]
    versions = rows.spend_rows(events).column("version").to_pylist()

    assert versions == sorted(set(versions))


@given(PAIRS, TOUCHPOINTS, CONVERSIONS, SPENDS)
def test_every_column_has_its_declared_type(
    pairs: list[tuple[str, ConversionCredits]],
    touchpoints: list[TouchpointEvent],
    conversions: list[ConversionWireEvent],
    spends: list[SpendEvent],
) -> None:
    letter = rows.DeadLetter("t", 0, 5, "undecodable", "", "not JSON", "decode", 1, 2, 1)
    tables = {
        "attributions": attribution_table(pairs),
        "dirty_days": rows.dirty_day_rows(pairs, run_id=3),
        "touchpoints": rows.touchpoint_rows(touchpoints),
        "conversions": rows.conversion_rows(conversions),
        "spend": rows.spend_rows(spends),
        "dead_letters": rows.dead_letter_rows([letter][: len(pairs)]),
        "worker_progress": rows.progress_rows("app", [rows.Progress("t", 0, 5, 6)][: len(pairs)], run_id=3),
        "runs": rows.run_rows(3, label="live", models=["linear"], config_hash="h", config_json="{}"),
    }
    for name, table in tables.items():
        declared = {column.name: column for column in BY_NAME[name].columns}
        assert {f.name: f.type for f in table.schema} == {n: declared[n].arrow_type for n in table.column_names}
        assert {n for n, column in declared.items() if not column.optional} <= set(table.column_names)


def test_columns_without_a_value_are_left_out() -> None:
    table = rows.touchpoint_rows([TouchpointEvent("e", "c", 1, "email")])

    assert table.column_names == ["event_id", "customer_id", "occurred_at", "channel", "touch_type", "received_at"]


def test_an_event_of_another_kind_is_refused_with_the_missing_field() -> None:
    with pytest.raises(ValueError, match=r"touchpoints\.channel: IdentityEvent has no such field"):
        rows.touchpoint_rows([IdentityEvent("e", "c", "p", 1)])
