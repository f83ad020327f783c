"""From a request body to rows: JSON, NDJSON or CSV, each plain or gzip.

A gzip body is unpacked piece by piece and given up at the limit, so a small bomb costs no memory.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Final

from api.errors import Problem, invalid, shown
from schemas.lines import Line, csv_rows, loads

_JSON: Final = "application/json"
NDJSON: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_CSV: Final = "text/csv"
_PIECE: Final = 1 << 20
#: Cells of these columns hold a JSON object.
_OBJECTS: Final = frozenset({"properties", "traits", "click_ids"})


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its content encoding, at most ``limit`` bytes.

    Raises:
        Problem: 415 for another encoding than gzip, 400 for a broken one, 413 beyond the limit.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    if name != "gzip":
        raise Problem(415, f"Content-Encoding {shown(name)} is not known; send gzip, or nothing.")
    out = bytearray()
    rest = body
    try:
        while rest:  # a gzip file may have several members
            member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            piece = member.decompress(rest, _PIECE)
            while piece:
                out += piece
                if len(out) > limit:
                    raise Problem(413, f"The unpacked body is larger than {limit} bytes. Send less in one request.")
                piece = member.decompress(member.unconsumed_tail, _PIECE)
            if not member.eof:
                raise Problem(400, "The gzip body ends too early. Send it again, whole.")
            rest = member.unused_data
    except zlib.error as error:
        raise Problem(400, f"The body is no gzip: {error}.") from None
    return bytes(out)


def raw_lines(body: bytes, content_type: str) -> list[tuple[int, bytes]] | None:
    """Lines of NDJSON that are not blank, with their numbers from 1; ``None`` for another type."""
    if content_type.partition(";")[0].strip().lower() not in NDJSON:
        return None
    return [(number, raw) for number, raw in enumerate(body.split(b"\n"), 1) if raw.strip()]


def rows_of(body: bytes, content_type: str) -> list[Line]:
    """Rows with the number of the line (CSV) or of the element (JSON), from 1.

    Raises:
        Problem: the body as a whole cannot be read.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _JSON:
        return list(_elements(body))
    if kind == _CSV:
        text = io.StringIO(body.decode("utf-8-sig", "surrogateescape"), newline="")
        return [(line, row if isinstance(row, str) else _cells(row)) for line, row in csv_rows(text, _check_header)]
    raise Problem(
        415, f"The body is {kind or 'of no stated type'}; send application/json, application/x-ndjson or text/csv."
    )


def _elements(body: bytes) -> Iterator[Line]:
    try:
        found = loads(body)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None
    events = found.get("events") if isinstance(found, dict) else found
    if not isinstance(events, list):
        raise invalid("body", type(found).__name__, 'send an array of events, or {"events": [...]}')
    for number, event in enumerate(events, 1):
        yield number, event if isinstance(event, dict) else f"no JSON object but {type(event).__name__}"


def _check_header(names: list[str]) -> None:
    plain = [name.strip() for name in names]
    if twice := sorted({name for name in plain if name and plain.count(name) > 1}):
        raise invalid("body", twice[0], "this column is there more than once; keep one")


def _cells(row: object) -> dict[str, object]:
    """Empty cells are absent; a cell that holds a map is JSON."""
    found: dict[str, object] = {}
    for name, cell in dict(row).items() if isinstance(row, dict) else ():
        if cell == "":
            continue
        if name.strip() in _OBJECTS and cell.lstrip().startswith("{"):
            try:
                found[name.strip()] = loads(cell.encode("utf-8", "surrogateescape"))
                continue
            except (ValueError, ArithmeticError, RecursionError):
                pass  # stays text, and the row check says what is wanted
        found[name.strip()] = cell
    return found
