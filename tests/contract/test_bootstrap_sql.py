"""The query of docs/models.md gives the bootstrap weights that ``datadriven.bootstrap`` gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from datadriven.bootstrap import customer_keys, poisson_thresholds, weights

pytestmark = pytest.mark.clickhouse

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_clickhouse_and_python_give_the_same_weights(clickhouse_url: str, clickhouse_database: str) -> None:
    """Ids of every kind, every value of the weight, many replicates."""
    (sql,) = re.findall(r"```sql\n(.*?poisson_thresholds.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    names = ["", "Ünï-☃", *(f"customer-{i}" for i in range(3_000))]
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    try:
        found = client.query(
            sql,
            parameters={"customers": names, "replicates": 4, "thresholds": list(poisson_thresholds())},
        ).result_rows
    finally:
        client.close()
    keys = customer_keys(names)
    expected = {(name, b): int(weight) for b in range(4) for name, weight in zip(names, weights(keys, b), strict=True)}

    assert {(name, b): weight for name, b, weight in found} == expected
    assert set(expected.values()) >= {0, 1, 2, 3, 4}
