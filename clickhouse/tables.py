"""The columns that the worker and the rate importer insert, declared once.

Name, ClickHouse type, Arrow type, in insert order.

A test compares this with what the live engine describes, so a migration and this list cannot drift apart.
LowCardinality columns, and those whose texts repeat between the rows of one insert, are sent as Arrow dictionaries:
each text once, and indices. ClickHouse refuses a dictionary that holds a text twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

TIMESTAMP_US: Final = pa.timestamp("us", "UTC")
TIMESTAMP_MS: Final = pa.timestamp("ms", "UTC")
REPEATING: Final = pa.dictionary(pa.int32(), pa.string())
TEXT_MAP: Final = pa.map_(pa.string(), pa.string())

_TEXT = "String"
_SYMBOL = "LowCardinality(String)"
_TIME_US = "DateTime64(6, 'UTC')"
_TIME_MS = "DateTime64(3, 'UTC')"
_MAP = "Map(LowCardinality(String), String)"

_ARROW: Final[Mapping[str, pa.DataType]] = {
    _TEXT: pa.string(),
    _SYMBOL: REPEATING,
    _TIME_US: TIMESTAMP_US,
    _TIME_MS: TIMESTAMP_MS,
    _MAP: TEXT_MAP,
    "Date": pa.date32(),
    "Decimal(38, 18)": pa.decimal128(38, 18),
    "Float64": pa.float64(),
    "Int64": pa.int64(),
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``optional`` ones may be left out of an insert.

    The table then fills in 0, an empty text, map or list, except for times: those get the server's clock. The
    texts of a ``repeating`` one come several times in an insert. What is ``beside`` the events is no field of theirs.
    """

    name: str
    clickhouse_type: str
    optional: bool = False
    repeating: bool = False
    beside: bool = False

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of this column in a table that the writer accepts."""
        return self._arrow(self.clickhouse_type)

    def _arrow(self, kind: str) -> pa.DataType:
        if kind.startswith("Array("):
            return pa.list_(self._arrow(kind[6:-1]))
        return REPEATING if self.repeating else _ARROW[kind]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that we write; ``key`` and ``version`` say which of two rows replaces the other."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    version: str
    deleted_flag: str = ""


TOUCHPOINTS: Final = Table(
    "touchpoints",
    (
        Column("event_id", _TEXT),
        Column("customer_id", _TEXT),
        Column("occurred_at", _TIME_US),
        Column("channel", _SYMBOL),
        Column("campaign", _TEXT, optional=True),
        Column("touch_type", _SYMBOL),
        Column("source", _SYMBOL, optional=True),
        Column("medium", _SYMBOL, optional=True),
        Column("content", _TEXT, optional=True),
        Column("term", _TEXT, optional=True),
        Column("platform", _SYMBOL, optional=True),
        Column("campaign_id", _TEXT, optional=True),
        Column("ad_group_id", _TEXT, optional=True),
        Column("ad_id", _TEXT, optional=True),
        Column("click_ids", _MAP, optional=True),
        Column("page_url", _TEXT, optional=True),
        Column("referrer", _TEXT, optional=True),
        Column("session_id", _TEXT, optional=True),
        Column("cost_micros", "Int64", optional=True),
        Column("currency", _SYMBOL, optional=True),
        Column("country", _SYMBOL, optional=True),
        Column("device_type", _SYMBOL, optional=True),
        Column("properties", _MAP, optional=True),
        Column("received_at", _TIME_US),
        Column("trace_id", _TEXT, optional=True, beside=True),
    ),
    key=("customer_id", "occurred_at", "event_id"),
    version="received_at",
)

CONVERSIONS: Final = Table(
    "conversions",
    (
        Column("event_id", _TEXT),
        Column("customer_id", _TEXT),
        Column("occurred_at", _TIME_US),
        Column("conversion_type", _SYMBOL),
        Column("order_id", _TEXT, optional=True),
        Column("value_micros", "Int64", optional=True),
        Column("currency", _SYMBOL, optional=True),
        Column("status", _SYMBOL),
        Column("adjusts", _TEXT, optional=True),
        Column("properties", _MAP, optional=True),
        Column("received_at", _TIME_US),
        Column("sent_at", _TIME_US),
        Column("trace_id", _TEXT, optional=True, beside=True),
    ),
    key=("customer_id", "occurred_at", "event_id"),
    version="received_at",
)

SPEND: Final = Table(
    "spend",
    (
        Column("event_id", _TEXT),
        Column("spend_date", "Date"),
        Column("channel", _SYMBOL),
        Column("campaign", _TEXT, optional=True),
        Column("campaign_id", _TEXT, optional=True),
        Column("source", _SYMBOL, optional=True),
        Column("cost_micros", "Int64"),
        Column("currency", _SYMBOL),
        Column("impressions", "UInt64", optional=True),
        Column("clicks", "UInt64", optional=True),
        Column("received_at", _TIME_US),
        Column("version", "UInt64"),
    ),
    key=("spend_date", "channel", "campaign", "source"),
    version="version",
)

IDENTITIES: Final = Table(
    "identities",
    (
        Column("event_id", _TEXT),
        Column("customer_id", _TEXT),
        Column("previous_id", _TEXT),
        Column("occurred_at", _TIME_US),
        Column("traits", _MAP, optional=True),
        Column("received_at", _TIME_US),
    ),
    key=("customer_id", "previous_id", "occurred_at", "event_id"),
    version="received_at",
)

FX_RATES: Final = Table(
    "fx_rates",
    (
        Column("day", "Date"),
        Column("currency", _SYMBOL),
        Column("rate", "Decimal(38, 18)"),
        Column("base", _SYMBOL),
        Column("source", _SYMBOL, optional=True),
        Column("imported_at", _TIME_US, optional=True),
        Column("version", "UInt64"),
    ),
    key=("day", "currency"),
    version="version",
)

ATTRIBUTIONS: Final = Table(
    "attributions",
    (
        Column("run_id", "UInt32"),
        Column("conversion_id", _TEXT),
        Column("customer_id", _TEXT),
        Column("conversion_type", _SYMBOL),
        Column("converted_at", _TIME_US),
        Column("value_micros", "Int64"),
        Column("currency", _SYMBOL),
        Column("models", f"Array({_SYMBOL})"),
        Column("fallbacks", f"Array({_SYMBOL})", optional=True),
        Column("t.id", f"Array({_TEXT})"),
        Column("t.at", f"Array({_TIME_US})"),
        Column("t.channel", f"Array({_SYMBOL})"),
        Column("t.campaign", f"Array({_TEXT})", repeating=True),
        Column("t.weights", "Array(Array(Float64))"),
        Column("t.value_micros", "Array(Array(Int64))"),
        Column("truncated", "UInt8", optional=True),
        Column("config_hash", _SYMBOL),
        Column("model_version", _SYMBOL, optional=True),
        Column("rev", "UInt64"),
        Column("is_deleted", "UInt8", optional=True),
        Column("emitted_at", _TIME_MS),
        Column("inserted_at", _TIME_US, optional=True),
    ),
    key=("run_id", "converted_at", "conversion_id"),
    version="rev",
    deleted_flag="is_deleted",
)

RUNS: Final = Table(
    "runs",
    (
        Column("run_id", "UInt32"),
        Column("label", _TEXT),
        Column("models", f"Array({_SYMBOL})"),
        Column("config_hash", _SYMBOL),
        Column("config", _TEXT),
        Column("updated_at", _TIME_US, optional=True),
        Column("status", _SYMBOL, optional=True),
        Column("source", _SYMBOL, optional=True),
        Column("group_id", _TEXT, optional=True),
        Column("from_us", "Int64", optional=True),
        Column("to_us", "Int64", optional=True),
        Column("plan", _TEXT, optional=True),
        Column("done", "UInt64", optional=True),
        Column("total", "UInt64", optional=True),
        Column("detail", _TEXT, optional=True),
        Column("created_us", "Int64", optional=True),
        Column("finished_us", "Int64", optional=True),
    ),
    key=("run_id",),
    version="updated_at",
)

DIRTY_DAYS: Final = Table(
    "dirty_days",
    (
        Column("run_id", "UInt32"),
        Column("day", "Date"),
        Column("unit", "UInt16", optional=True),
        Column("marked_at", _TIME_US, optional=True),
    ),
    key=("run_id", "day", "unit"),
    version="marked_at",
)

WORKER_PROGRESS: Final = Table(
    "worker_progress",
    (
        Column("run_id", "UInt32"),
        Column("app", _SYMBOL),
        Column("topic", _SYMBOL),
        Column("partition", "UInt32"),
        Column("offset", "Int64"),
        Column("watermark_us", "Int64"),
        Column("updated_at", _TIME_US, optional=True),
    ),
    key=("run_id", "app", "topic", "partition"),
    version="updated_at",
)

DEAD_LETTERS: Final = Table(
    "dead_letters",
    (
        Column("topic", _SYMBOL),
        Column("partition", "UInt32"),
        Column("offset", "Int64"),
        Column("reason", _SYMBOL),
        Column("field", _SYMBOL),
        Column("detail", _TEXT),
        Column("stage", _SYMBOL),
        Column("recorded_at", _TIME_MS),
        Column("failed_at", _TIME_MS),
        Column("attempts", "UInt32"),
    ),
    key=("topic", "partition", "offset"),
    version="failed_at",
)

#: In the order in which they are written: facts, then credits, and last the two that speak about the others. A dirty
#: mark set before its rows are visible would be swallowed by a roller that builds in between.
WRITE_ORDER: Final = (
    TOUCHPOINTS,
    CONVERSIONS,
    SPEND,
    IDENTITIES,
    FX_RATES,
    RUNS,
    ATTRIBUTIONS,
    DEAD_LETTERS,
    DIRTY_DAYS,
    WORKER_PROGRESS,
)

BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in WRITE_ORDER}
