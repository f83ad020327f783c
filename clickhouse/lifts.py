"""Lift tests as the store keeps them: recorded, replaced and taken back by their id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse import queries
from clickhouse.errors import translate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS: Final = ("test_id", "channel", "start_date", "end_date", "incremental", "standard_error", "note")


class RecordedTest(NamedTuple):
    """One experiment. Days are inclusive; ``incremental`` and ``standard_error`` are conversions."""

    test_id: str
    channel: str
    start: date
    end: date
    incremental: float
    standard_error: float
    note: str = ""
    recorded_at: datetime | None = None


def recorded(client: Client) -> list[RecordedTest]:
    """All, the newest period first. Raises the errors of ``clickhouse.queries``."""
    return [RecordedTest(*row.values()) for row in queries.run(client, "lift_tests")]


def record(client: Client, tests: Sequence[RecordedTest], *, is_deleted: bool = False) -> None:
    """Keep tests, or take them back; the same id again replaces.

    Raises:
        SinkUnavailable: the engine cannot do it now.
        SinkRejected: the engine refuses.
    """
    rows = [[*test[:7], int(is_deleted)] for test in tests]
    try:
        client.insert("lift_tests", rows, column_names=[*_COLUMNS, "is_deleted"])
    except ClickHouseError as error:
        raise translate(error, "insert into lift_tests") from error
