"""Writes Arrow tables: one synchronous insert per table, marks and progress last.

The rows of one ``write`` become visible one table after the other, and a failure may leave the first ones written: the
caller writes the same again, every table replaces by key. Whoever reads a progress row or a dirty mark can rely on the
rows before it being visible.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse.errors import RowCountMismatch, SinkRejected, SinkUnavailable, translate
from clickhouse.tables import BY_NAME, WRITE_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickhouse_connect.driver.client import Client

Result = TypeVar("Result")

_SETTINGS: Final = {
    # answered when the rows are visible, not when they are queued
    "async_insert": 0,
    # a replay must reach the table whatever was inserted before
    "insert_deduplicate": 0,
    # rows of one key in one insert are told apart by whoever reads (FINAL) or merges, as those of two inserts are:
    # to merge each block here as well costs a quarter of the insert
    "optimize_on_insert": 0,
    # an epoch may hold events of any month; 0 = no limit
    "max_partitions_per_insert_block": 0,
    "input_format_null_as_default": 1,
    # the answer's headers, with the row count, come after the insert
    "wait_end_of_query": 1,
}


class Sink(Protocol):
    """Where a worker's rows go: the writer, or a list in memory in tests."""

    def write(self, tables: Mapping[str, pa.Table]) -> int:
        """Writes the tables in ``WRITE_ORDER``, skipping empty ones; returns the number of rows.

        Raises:
            SinkUnavailable: not now; some tables may be written. Write the same again later.
            SinkRejected: never: the rows or the tables are wrong.
        """


class Writer:
    """The sink over a client.

    Args:
        client: of ``clickhouse.client.connect``.
        compression: of the Arrow body, for a ClickHouse that is not on this machine.
        on_insert: told table, rows and seconds of each insert that was taken.
    """

    def __init__(
        self,
        client: Client,
        *,
        compression: str | None = None,
        on_insert: Callable[[str, int, float], None] = lambda _table, _rows, _seconds: None,
    ) -> None:
        self._client, self._on_insert = client, on_insert
        self._options = pa.ipc.IpcWriteOptions(compression=compression)

    def write(self, tables: Mapping[str, pa.Table]) -> int:
        """See ``Sink.write``."""
        check_known(tables)
        return sum(self._insert(table.name, tables[table.name]) for table in WRITE_ORDER if table.name in tables)

    def _insert(self, name: str, rows: pa.Table) -> int:
        if rows.num_rows == 0:
            return 0
        began = time.perf_counter()
        body = pa.BufferOutputStream()
        with pa.ipc.new_stream(body, rows.schema, options=self._options) as stream:
            stream.write_table(rows)
        try:
            summary = self._client.raw_insert(
                name, rows.column_names, body.getvalue().to_pybytes(), settings=_SETTINGS, fmt="ArrowStream"
            )
        except ClickHouseError as error:
            raise translate(error, f"insert into {name}") from error
        if summary.written_rows != rows.num_rows:
            raise RowCountMismatch(
                f"insert into {name}: {rows.num_rows} rows were sent, ClickHouse reports {summary.written_rows}; "
                f"look for a proxy that changes bodies"
            )
        self._on_insert(name, rows.num_rows, time.perf_counter() - began)
        return int(rows.num_rows)


def check_known(tables: Mapping[str, pa.Table]) -> None:
    """Refuses tables that are not declared.

    Raises:
        SinkRejected: a name that ``clickhouse.tables`` does not have.
    """
    unknown = sorted(tables.keys() - BY_NAME.keys())
    if unknown:
        raise SinkRejected(f"tables {unknown} are not declared; there are: {', '.join(BY_NAME)}")


def write_with_backoff(
    sink: Sink,
    tables: Mapping[str, pa.Table],
    *,
    sleep: Callable[[float], None],
    should_stop: Callable[[], bool],
    on_retry: Callable[[SinkUnavailable, float], None] | None = None,
    first_wait_s: float = 0.1,
    longest_wait_s: float = 5.0,
) -> int:
    """Writes until it succeeds, with doubling waits; the rows are kept meanwhile.

    Args:
        sink: where to.
        tables: what.
        sleep: waits that many seconds.
        should_stop: asked before each new try; True gives up.
        on_retry: told the error and the coming wait, for logs and metrics.
        first_wait_s: the first wait.
        longest_wait_s: waits do not grow beyond.

    Returns:
        The number of rows.

    Raises:
        SinkUnavailable: ``should_stop`` said so; the rows may or may not be written.
        SinkRejected: the rows or the tables are wrong.
    """
    return with_backoff(
        lambda: sink.write(tables),
        sleep=sleep,
        should_stop=should_stop,
        on_retry=on_retry,
        first_wait_s=first_wait_s,
        longest_wait_s=longest_wait_s,
    )


def with_backoff(
    attempt: Callable[[], Result],
    *,
    sleep: Callable[[float], None],
    should_stop: Callable[[], bool],
    on_retry: Callable[[SinkUnavailable, float], None] | None = None,
    first_wait_s: float = 0.1,
    longest_wait_s: float = 5.0,
) -> Result:
    """``attempt`` until it succeeds; see ``write_with_backoff``."""
    wait_s = first_wait_s
    while True:
        try:
            return attempt()
        except SinkUnavailable as error:
            if should_stop():
                raise
            if on_retry is not None:
                on_retry(error, wait_s)
            sleep(wait_s)
            if should_stop():
                raise
            wait_s = min(wait_s * 2, longest_wait_s)
