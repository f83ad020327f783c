"""An aggregate as JSON or CSV, with its entity tag and its freshness in headers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api import report, responses
from api.freshness import entity_tag, is_current


def table_responses(columns: Sequence[str]) -> dict[int | str, dict[str, Any]]:
    """Documentation of an answer that is given as CSV as well."""
    return {
        200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": ",".join(columns)}}},
        304: {"description": "The numbers are those of the `If-None-Match` tag."},
    }


def table(
    request: Request,
    answer: BaseModel,
    meta: responses.Meta,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    name: str,
) -> Response:
    """The answer in the form that the client accepts, or 304.

    Args:
        request: its headers decide.
        answer: the JSON answer, with a field ``meta``.
        meta: the same freshness.
        rows: the lines of the CSV.
        columns: of the CSV, in order; other fields of a row are left out.
        name: of the file.

    Raises:
        Problem: 406, it accepts neither.
    """
    as_csv = report.wants_csv(request.headers.get("accept"))
    media_type = "text/csv" if as_csv else "application/json"
    plain = answer.model_dump(mode="json")
    tag = entity_tag(
        media_type,
        sorted(request.query_params.multi_items()),
        ({k: v for k, v in plain.items() if k != "meta"}, meta.run_id, meta.model_version),
    )
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept", **meta_headers(meta)}
    if is_current(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    if as_csv:
        headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        return Response(to_csv(rows, columns), media_type="text/csv; charset=utf-8", headers=headers)
    return JSONResponse(plain, headers=headers)


def to_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """One line per row under a header; a text that a spreadsheet would run as a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: report.harmless(v) for k, v in row.items()})
    return out.getvalue()


def meta_headers(meta: responses.Meta) -> dict[str, str]:
    """``meta`` as ``X-Meta-…`` headers."""
    plain = meta.model_dump(mode="json", exclude_none=True)
    return {f"X-Meta-{name.replace('_', '-').title()}": str(value) for name, value in plain.items()}
