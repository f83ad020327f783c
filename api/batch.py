"""Many calculations in one call: a body of journeys to answers in their order, each by itself.

A journey is read and answered as ``calculate`` does it, by the same code, so an item's answer is that answer to the
byte, with its ``index`` in front. What is wrong with one item concerns that item alone. Pure: no clock, no store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api import question
from api.calculation import calculate
from api.errors import Problem, from_validation, invalid
from api.ingest_body import NDJSON
from api.requests import CalculateIn
from api.responses import FieldError
from api.settings import ApiSettings

MAX_JOURNEYS: Final = 5_000
#: Of all journeys of a call: the answer holds a credit for each under each model.
MAX_TOUCHPOINTS: Final = 50_000

_JSON: Final = "application/json"
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Failed(NamedTuple):
    """One thing that is wrong with the journey ``at`` this index; ``line`` is counted from 1."""

    at: int
    line: int
    error: FieldError


class Batch(NamedTuple):
    """Answers as JSON, in the order of the journeys, and what is wrong with the others."""

    sent: int
    answers: list[bytes]
    failed: list[Failed]


def calculate_all(body: bytes, content_type: str, settings: ApiSettings) -> Batch:
    """Every journey of a body.

    Raises:
        Problem: the body as a whole cannot be read, or holds more than one call may.
    """
    items = list(_items(body, content_type))
    if len(items) > MAX_JOURNEYS:
        raise Problem(413, f"{len(items)} journeys, at most {MAX_JOURNEYS} in one request. Send them in several.")
    answers: list[bytes] = []
    failed: list[Failed] = []
    touchpoints = 0
    for index, (line, raw) in enumerate(items):
        try:
            asked = question.read(raw) or _validated(raw)
            touchpoints += len(asked.touches)
            if touchpoints > MAX_TOUCHPOINTS:
                break
            answers.append(b'{"index":%d,%b' % (index, calculate(asked, settings)[1:]))
        except Problem as problem:
            errors = problem.errors or [FieldError(field="", reason=problem.detail)]
            failed += [Failed(index, line, error) for error in errors]
    if touchpoints > MAX_TOUCHPOINTS:
        raise Problem(413, f"More than {MAX_TOUCHPOINTS} touchpoints in all. Send the journeys in several requests.")
    return Batch(len(items), answers, failed)


def _items(body: bytes, content_type: str) -> Iterator[tuple[int, bytes]]:
    """Journeys with the number of their line (NDJSON) or of the element (JSON), from 1."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in NDJSON:
        yield from ((n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip())
    elif kind == _JSON:
        yield from enumerate(map(bytes, _elements(body)), 1)
    else:
        raise Problem(415, f"The body is {kind or 'of no stated type'}; send application/json or application/x-ndjson.")


def _elements(body: bytes) -> list[msgspec.Raw]:
    try:
        if body.lstrip()[:1] == b"{":
            return _ARRAY.decode(_OBJECT.decode(body).get("journeys", msgspec.Raw(b"null")))
        return _ARRAY.decode(body)
    except msgspec.ValidationError:
        raise invalid("body", None, 'send an array of journeys, or {"journeys": [...]}') from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None


def _validated(raw: bytes) -> question.Question:
    """The question of a journey that the quick reader is not sure of.

    Raises:
        Problem: what is wrong with it.
    """
    try:
        return question.of(CalculateIn.model_validate(json.loads(raw)))
    except ValidationError as error:
        items = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise from_validation(RequestValidationError(items)) from None
    except (ValueError, RecursionError) as error:
        raise invalid("", None, f"is not JSON: {error}") from None
