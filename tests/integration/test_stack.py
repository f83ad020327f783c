"""The local stack starts, answers, and keeps its data."""

from __future__ import annotations

import pytest

from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings


@pytest.mark.clickhouse
def test_migrated_database_answers(clickhouse_url: str, clickhouse_database: str) -> None:
    """The fixtures give a database that has tables."""
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    (row,) = client.query("SELECT count() FROM system.tables WHERE database = currentDatabase()").result_rows
    assert row[0] > 5
