"""The queries that pages show under "How was this computed?" run, and find the customer whom everybody names."""

from __future__ import annotations

import re
from datetime import date
from importlib import resources
from typing import Any

import pytest

from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from served_api import plant

pytestmark = pytest.mark.clickhouse

BOUND: dict[str, Any] = {
    "start": date(2020, 1, 1),
    "end": date(2030, 1, 1),
    "model": "linear",
    "models": ["linear", "first_touch"],
    "currency": "USD",
    "conversion_type": "",
    "basis": "conversion_day",
    "max_age_days": 7,
    "customer_id": "c-42",
    "conversion_id": "purchase:o-1001",
    "window_days": 30,
    "a": 1,
    "b": 2,
}
#: What the planted order makes of a query, where it needs no daily sums.
FOUND: dict[str, Any] = {
    "paths": [("Paid Search", 1, 1.0)],
    "funnel": [(1, 1, 1.0)],
    "dead_letters": [],
    "health": [],
}


def test_every_query_runs(clickhouse_url: str, clickhouse_database: str) -> None:
    engine = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    plant(engine)
    client = connect(engine)
    found = {}
    for file in (resources.files("ui") / "sql").iterdir():
        text = file.read_text(encoding="utf-8")
        names = set(re.findall(r"\{(\w+):", text))
        bound = {name: value for name, value in BOUND.items() if name in names}
        assert bound.keys() == names, file.name
        rows = client.query(text, parameters=bound).result_rows
        found[file.name.removesuffix(".sql")] = [tuple(row) for row in rows]
    client.close()
    assert len(found) >= 10
    assert {name: rows for name, rows in found.items() if name in FOUND} == FOUND
    assert {row[0] for row in found["explain"]} >= {"linear"}
    assert [row[4] for row in found["journey"]] == ["Paid Search"]
