"""Tables in files: CSV, JSON Lines and Parquet, in and out. The format follows from the name of the file.

Reading yields ``(line, row)``; a line that holds no row yields the reason instead. JSON fractions become
``Decimal``, so an amount never passes through a float. Writing goes to a file beside the target that takes its
name at the end: readers see the old content or the new, never a part.

Raises ``FileProblemError`` for a file as a whole: unknown format, not readable, not writable, missing columns.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from schemas.lines import Line, csv_rows, json_rows

_FORMATS: Final = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
FORMATS: Final = tuple(dict.fromkeys(_FORMATS.values()))
_ROWS_AT_ONCE: Final = 50_000


class FileProblemError(Exception):
    """A file cannot be used; the message says why and what would help."""


def format_of(path: Path) -> str:
    """``csv``, ``jsonl`` or ``parquet`` by the name's ending."""
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise FileProblemError(
            f"{path}: unknown format {path.suffix!r}; known endings: {', '.join(_FORMATS)}"
        ) from None


def read_rows(path: Path, columns: Sequence[Sequence[str]]) -> Iterator[Line]:
    """Rows of a file in order.

    Args:
        path: a .csv, .jsonl, .ndjson, .parquet or .pq file.
        columns: groups of names; a table must have a column of each group.

    Raises:
        FileProblemError: before the first row, or when reading fails on the way.
    """
    read = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}[format_of(path)]
    try:
        yield from read(path, columns)
    except OSError as error:
        raise FileProblemError(f"{path}: {error.strerror or error}") from None


def _check_columns(path: Path, found: Iterable[str], columns: Sequence[Sequence[str]]) -> None:
    names = list(found)
    missing = [" or ".join(group) for group in columns if not set(group) & set(names)]
    if missing:
        raise FileProblemError(
            f"{path}:1: no column {'; no column '.join(missing)}; found: {', '.join(names) or 'none'}"
        )
    plain = [name.strip() for name in names]
    if twice := sorted({name for name in plain if name and plain.count(name) > 1}):
        raise FileProblemError(f"{path}:1: column {'; column '.join(twice)} is there more than once; keep one")


def _read_csv(path: Path, columns: Sequence[Sequence[str]]) -> Iterator[Line]:
    # bytes that are no UTF-8 become lone surrogates, which the row check reports with their line
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from csv_rows(file, lambda header: _check_columns(path, header, columns))


def _read_jsonl(path: Path, _columns: Sequence[Sequence[str]]) -> Iterator[Line]:
    with path.open("rb") as file:
        yield from json_rows(file)


def _read_parquet(path: Path, columns: Sequence[Sequence[str]]) -> Iterator[Line]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names, columns)
            line = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                names = batch.schema.names
                lists = [_parquet_column(pa, column).to_pylist() for column in batch.columns]
                for values in zip(*lists, strict=True):
                    line += 1
                    yield line, dict(zip(names, values, strict=True))
    except pa.ArrowInvalid as error:
        raise FileProblemError(f"{path}: not readable as Parquet: {error}") from None


def _parquet_column(pa: Any, column: Any) -> Any:
    """Times in microseconds UTC (what Python's datetime holds), categories as their values."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", "UTC" if column.type.tz else None), safe=False)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def write_rows(
    rows: Iterable[Sequence[object]], columns: dict[str, type], output: Path | None, file_format: str
) -> int:
    """Write rows, all or nothing; returns how many.

    Args:
        rows: values in the order of ``columns``.
        columns: names with ``str``, ``int`` or ``float``.
        output: the file, or None for standard output.
        file_format: one of ``FORMATS``.

    Raises:
        FileProblemError: the file cannot be written; what was there before is still there.
    """
    write: Callable[[Iterator[Sequence[object]], dict[str, type], IO[bytes]], int]
    write = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}[file_format]
    if output is None:
        count = write(iter(rows), columns, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return count
    try:
        with _replacing(output) as file:
            return write(iter(rows), columns, file)
    except OSError as error:
        raise FileProblemError(f"{output}: {error.strerror or error}; name a file in a writable directory") from None


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` when the block ends well, and vanishes when it does not."""
    target = path.resolve()  # a link keeps pointing at its file
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _write_csv(rows: Iterator[Sequence[object]], columns: dict[str, type], file: IO[bytes]) -> int:
    count = 0
    text = _Lines(file)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last count is the answer
        writer.writerow(row)
    return count


class _Lines:
    """What ``csv.writer`` needs of a text file, over a binary one that stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


def _write_jsonl(rows: Iterator[Sequence[object]], columns: dict[str, type], file: IO[bytes]) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last count is the answer
        file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False).encode() + b"\n")
    return count


def _write_parquet(rows: Iterator[Sequence[object]], columns: dict[str, type], file: IO[bytes]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _ROWS_AT_ONCE)):
            count += len(chunk)
            arrays = [
                pa.array(values, kind) for values, kind in zip(zip(*chunk, strict=True), schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return count
