"""Retrying a write: when, how long, and when not."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from clickhouse.errors import RowCountMismatch, SinkRejected, SinkUnavailable, StoreError, translate
from clickhouse.rows import Progress, dirty_days, progress_rows, run_rows, touchpoint_rows
from clickhouse.testing import MemorySink
from clickhouse.writer import Writer, write_with_backoff
from schemas.events import TouchpointEvent

TABLES = {"worker_progress": progress_rows("app", [Progress("t", 0, 5, 6)], run_id=1)}


def test_a_write_is_repeated_with_doubling_waits_until_it_succeeds() -> None:
    sink = MemorySink()
    sink.fail_next(SinkUnavailable("down"), times=7)
    waits: list[float] = []

    written = write_with_backoff(sink, TABLES, sleep=waits.append, should_stop=lambda: False)

    assert written == 1
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert len(sink.final("worker_progress")) == 1


def test_a_refusal_is_not_repeated() -> None:
    sink = MemorySink()
    sink.fail_next(SinkRejected("no such column"))
    waits: list[float] = []

    with pytest.raises(SinkRejected):
        write_with_backoff(sink, TABLES, sleep=waits.append, should_stop=lambda: False)

    assert waits == []


@pytest.mark.parametrize("asked_before_stop", [0, 1, 2, 3])
def test_a_stop_gives_up_with_the_last_error(asked_before_stop: int) -> None:
    sink = MemorySink()
    sink.fail_next(SinkUnavailable("down"), times=10)
    answers = iter([False] * asked_before_stop + [True])
    waits: list[float] = []

    with pytest.raises(SinkUnavailable, match="down"):
        write_with_backoff(sink, TABLES, sleep=waits.append, should_stop=lambda: next(answers))

    assert len(waits) == (asked_before_stop + 1) // 2


def test_the_caller_is_told_why_and_how_long() -> None:
    sink = MemorySink()
    error = SinkUnavailable("down")
    sink.fail_next(error)
    told: list[tuple[StoreError, float]] = []

    write_with_backoff(
        sink, TABLES, sleep=lambda _: None, should_stop=lambda: False, on_retry=lambda e, s: told.append((e, s))
    )

    assert told == [(error, 0.1)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OperationalError("Error executing HTTP request"), SinkUnavailable),
        (DatabaseError("HTTP driver received HTTP status 503"), SinkUnavailable),
        (DatabaseError("HTTP driver received HTTP status 429"), SinkUnavailable),
        (DatabaseError("HTTP driver received HTTP status 403"), SinkRejected),
        (DatabaseError("too many parts", code=252), SinkUnavailable),
        (DatabaseError("memory limit", code=241), SinkUnavailable),
        (DatabaseError("timeout", code=159), SinkUnavailable),
        (DatabaseError("no such column", code=16), SinkRejected),
        (DatabaseError("cannot parse", code=6), SinkRejected),
        (DatabaseError("wrong password", code=516), SinkRejected),
    ],
)
def test_an_error_is_passing_or_final_by_its_code(error: DatabaseError, kind: type[StoreError]) -> None:
    assert type(translate(error, "insert")) is kind


def test_a_missing_table_names_the_command_that_creates_it() -> None:
    assert "attribution migrate" in str(translate(DatabaseError("no table", code=60), "insert into spend"))


class Summary:
    def __init__(self, written_rows: int) -> None:
        self.written_rows = written_rows


class RecordingClient:
    """Notes the inserts; answers as many rows as were sent, plus ``off_by``."""

    def __init__(self, off_by: int = 0) -> None:
        self.off_by = off_by
        self.tables: list[str] = []
        self.settings: list[dict[str, Any]] = []

    def raw_insert(self, table: str, columns: list[str], body: bytes, *, settings: dict[str, Any], fmt: str) -> Summary:
        rows = pa.ipc.open_stream(body).read_all()
        assert (rows.column_names, fmt) == (columns, "ArrowStream")
        self.tables.append(table)
        self.settings.append(settings)
        return Summary(rows.num_rows + self.off_by)


@pytest.mark.parametrize("off_by", [-1, 1])
def test_another_row_count_than_sent_is_an_error(off_by: int) -> None:
    with pytest.raises(RowCountMismatch, match="1 rows were sent"):
        Writer(RecordingClient(off_by)).write(TABLES)  # type: ignore[arg-type]  # a double of the client


def test_marks_and_progress_are_written_after_the_rows_they_speak_of() -> None:
    client = RecordingClient()
    tables = {
        **TABLES,
        "dirty_days": dirty_days([1], run_id=1),
        "runs": run_rows(1, label="", models=[], config_hash="", config_json="{}"),
        "touchpoints": touchpoint_rows([TouchpointEvent("e", "c", 1, "email")]),
    }

    Writer(client).write(tables)  # type: ignore[arg-type]  # a double of the client

    assert client.tables == ["touchpoints", "runs", "dirty_days", "worker_progress"]
    assert all(s["async_insert"] == 0 for s in client.settings)
