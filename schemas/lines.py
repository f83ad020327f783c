"""Rows of CSV and JSON Lines, from files and from request bodies alike.

Both yield ``(line, row)``, lines counted from 1; a line that holds no row yields the reason instead of a row. JSON
fractions become ``Decimal``, so an amount never passes through a float.
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: A row with its line, or the reason why the line holds no row.
Line: TypeAlias = tuple[int, "Mapping[str, object] | str"]


def csv_rows(lines: Iterable[str], check_header: Callable[[list[str]], None]) -> Iterator[Line]:
    """Rows under the names of the first line; ``check_header`` may raise for the table as a whole."""
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        check_header(header)
        before = reader.line_num
        for values in reader:
            line, before = before + 1, reader.line_num
            if not values:
                continue
            if len(values) != len(header):
                yield line, f"{len(values)} values for {len(header)} columns"
            else:
                yield line, dict(zip(header, values, strict=True))
    except csv.Error as error:
        yield reader.line_num, f"no CSV from here on: {error}"


def json_rows(lines: Iterable[bytes]) -> Iterator[Line]:
    """One JSON object a line; blank lines are passed over."""
    for line, raw in enumerate(lines, 1):
        if raw.strip():
            yield line, json_row(raw)


def json_row(raw: bytes) -> Mapping[str, object] | str:
    """The object in a line, or the reason why there is none."""
    try:
        row = loads(raw)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return f"no JSON: {error}"
    return row if isinstance(row, dict) else f"no JSON object but {type(row).__name__}"


def loads(raw: bytes) -> Any:
    """JSON with ``Decimal`` fractions.

    Raises:
        ValueError, ArithmeticError, RecursionError: no JSON; ``NaN`` and ``Infinity`` are none.
    """
    return _DECODE(raw.decode(json.detect_encoding(raw), "surrogatepass"))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


#: Made once: ``json.loads`` makes a decoder for each call that has hooks.
_DECODE: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant).decode
