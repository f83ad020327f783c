"""Parameters that several routes share, with their limits, and the problems that every route may answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Path, Query, Request
from pydantic import BeforeValidator, Field, WithJsonSchema

from api.errors import MEDIA_TYPE, Problem, invalid
from attribution.errors import UnknownModelError
from attribution.models.registry import model_names, resolve

# the routes take the rest of the path: an id may hold a slash, which servers decode before routing
CustomerId: TypeAlias = Annotated[str, Path(min_length=1, max_length=256, examples=["c-42"])]
ModelName: TypeAlias = Annotated[
    Annotated[str, Field(min_length=1, max_length=64), WithJsonSchema({"type": "string", "enum": list(model_names())})]
    | None,
    Query(description="A model id or alias.", examples=["linear"]),
]
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")


def _with_date_and_time(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.match(value)):
        return value
    raise ValueError("give a date and time such as 2026-11-24T08:00:00Z")  # a number would be taken for seconds


Moment: TypeAlias = Annotated[datetime, BeforeValidator(_with_date_and_time)]
Cursor: TypeAlias = Annotated[str | None, Query(max_length=2_000, description="`next_cursor` of the page before.")]


_MAX_MODELS: Final = 20


def model_id(name: str, field: str = "attribution_model") -> str:
    """The id of a model or alias.

    Raises:
        Problem: 422 that lists the valid ones.
    """
    try:
        return resolve(name).model_id
    except UnknownModelError as error:
        raise invalid(field, name, f"is not a model; {error.way_out}") from None


def model_list(text: str | None) -> tuple[str, ...]:
    """Model ids of a comma-separated list; none if nothing was given.

    Raises:
        Problem: 422, one is not a model, or there are too many.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if len(names) > _MAX_MODELS:
        raise invalid("models", text, f"names {len(names)} models; at most {_MAX_MODELS}")
    return tuple(dict.fromkeys(model_id(name, "models") for name in names))


async def json_only(request: Request) -> None:
    """Refuse a body that does not say it is JSON.

    Raises:
        Problem: 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, f"The body is {kind or 'of no stated type'}; send it as Content-Type: application/json.")


_WORDS: Final = {
    400: "The request cannot be read as what its headers say.",
    401: "No valid credentials.",
    403: "The credentials do not allow this.",
    404: "Nothing is at this path.",
    406: "None of the accepted media types can be given.",
    409: "The state of things forbids it; `detail` says what to do.",
    413: "The body is too large.",
    415: "The body is of a type that this path does not read.",
    422: "Input that cannot be used; `errors` names each field, its value and the reason.",
    429: "Too many requests; `Retry-After` says when to come back.",
    500: "Internal error; the server's log has the cause.",
    503: "A dependency does not answer; `dependency` names it.",
    504: "No answer within the time limit.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of the problems that a route may answer."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {s: {"description": _WORDS[s], "content": {MEDIA_TYPE: {"schema": schema}}} for s in (*statuses, 500)}
