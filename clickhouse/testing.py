"""A sink in memory that keeps the writer's contract: same tables, same order, same refusals, same replacing rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clickhouse.errors import SinkRejected, StoreError
from clickhouse.tables import BY_NAME, WRITE_ORDER, Column, Table
from clickhouse.writer import check_known

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemorySink:
    """Keeps every inserted row. ``inserts`` lists ``(table, rows)`` of each insert, in order."""

    def __init__(self) -> None:
        self.inserts: list[tuple[str, int]] = []
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in BY_NAME}
        self._failures: list[tuple[str | None, StoreError]] = []

    def fail_next(self, error: StoreError, *, before: str | None = None, times: int = 1) -> None:
        """The next ``times`` writes raise ``error``, at the start or before the insert into the table ``before``."""
        self._failures.extend([(before, error)] * times)

    def write(self, tables: Mapping[str, pa.Table]) -> int:
        """See ``clickhouse.writer.Sink.write``."""
        check_known(tables)
        before, error = self._failures.pop(0) if self._failures else (None, None)
        if error is not None and before is None:
            raise error
        written = 0
        for table in WRITE_ORDER:
            if error is not None and table.name == before:
                raise error
            rows = tables.get(table.name)
            if rows is None or rows.num_rows == 0:
                continue
            _check(table, rows)
            self._rows[table.name] += [_with_defaults(table, row) for row in rows.to_pylist()]
            self.inserts.append((table.name, rows.num_rows))
            written += rows.num_rows
        return written

    def every(self, name: str) -> list[dict[str, Any]]:
        """All inserted rows of a table, in insert order."""
        return list(self._rows[name])

    def final(self, name: str) -> list[dict[str, Any]]:
        """What ``SELECT … FINAL`` shows: per key the highest version, of equal ones the last; no deleted rows."""
        table = BY_NAME[name]
        newest: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in self._rows[name]:
            key = tuple(_key_part(table, part, row) for part in table.key)
            if key not in newest or row[table.version] >= newest[key][table.version]:
                newest[key] = row
        rows = [row for _, row in sorted(newest.items(), key=lambda item: item[0])]
        return [row for row in rows if not (table.deleted_flag and row[table.deleted_flag])]


def _key_part(table: Table, name: str, row: dict[str, Any]) -> Any:
    # the key of attributions holds the minute, not the time
    return row[name].replace(second=0, microsecond=0) if table.deleted_flag and name == "converted_at" else row[name]


def _check(table: Table, rows: pa.Table) -> None:
    declared = {column.name: column for column in table.columns}
    for name in rows.column_names:
        if name not in declared:
            raise SinkRejected(f"insert into {table.name}: there is no column {name}")
        if rows.schema.field(name).type != declared[name].arrow_type:
            raise SinkRejected(
                f"insert into {table.name}: {name} is {rows.schema.field(name).type}, not {declared[name].arrow_type}"
            )


def _with_defaults(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    filled = {}
    for column in table.columns:
        value = row.get(column.name)
        filled[column.name] = _default(column) if value is None else value
    return filled


def _default(column: Column) -> Any:
    kind = column.arrow_type
    if pa.types.is_timestamp(kind):
        return datetime.now(UTC) if column.optional else _EPOCH
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    return "" if pa.types.is_string(kind) or pa.types.is_dictionary(kind) else 0
