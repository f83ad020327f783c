"""``POST /api/v1/attribution/calculate/batch``: many journeys in one call."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from accounts.roles import Role
from api.access import requires
from api.attribution_responses import BatchCalculation, JourneyError
from api.batch import MAX_JOURNEYS, Batch, Failed, calculate_all
from api.errors import Problem
from api.ingest_body import unpacked
from api.parameters import problems
from api.requests import CalculateIn
from api.responses import FieldError
from api.services import Injected
from api.settings import ApiSettings

PATH: Final = "/api/v1/attribution/calculate/batch"
_EXAMPLE: Final = (CalculateIn.model_config.get("json_schema_extra") or {})["example"]  # type: ignore[index] # a mapping
_LINE: Final = msgspec.json.encode(_EXAMPLE).decode()
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/CalculateIn"},
                    "minItems": 1,
                    "maxItems": MAX_JOURNEYS,
                    "example": [_EXAMPLE],
                }
            },
            "application/x-ndjson": {"schema": {"type": "string"}, "example": _LINE},
        },
    }
}


def build_router() -> APIRouter:
    """The route of this resource."""
    router = APIRouter(tags=["attribution"])

    @router.post(
        PATH,
        operation_id="calculate_attributions",
        summary=f"Credits of up to {MAX_JOURNEYS:,} paths that you describe",
        response_model=BatchCalculation,
        responses={
            207: {"model": BatchCalculation, "description": "Some journeys were calculated."},
            **problems(400, 413, 415, 422, 504),
        },
        openapi_extra=_BODY,
    )
    @requires(Role.VIEWER, audited=False)
    async def calculate_attributions(request: Request, services: Injected) -> Response:
        """JSON (array or `{"journeys": [...]}`) or NDJSON, plain or gzip; each journey is a body of `calculate`.

        Every answer is the one that `calculate` gives, with the `index` of its journey. 200: all were calculated. 207:
        some; `errors` says what is wrong with each of the others. 422: none.
        """
        headers = request.headers
        read = partial(
            _read,
            await request.body(),
            headers.get("content-encoding", ""),
            headers.get("content-type", ""),
            services.settings,
        )
        found = await services.call(read)
        if not found.answers:
            raise Problem(
                422,
                f"None of {found.sent} journeys can be calculated." if found.sent else "The body holds no journeys.",
                errors=[_prefixed(f) for f in found.failed],
            )
        return Response(_written(found), 207 if found.failed else 200, media_type="application/json")

    return router


def _read(body: bytes, encoding: str, content_type: str, settings: ApiSettings) -> Batch:
    return calculate_all(unpacked(body, encoding, settings.max_unpacked_bytes), content_type, settings)


def _prefixed(failed: Failed) -> FieldError:
    error = failed.error
    return error.model_copy(update={"field": f"journeys.{failed.at}.{error.field}".rstrip(".")})


def _written(found: Batch) -> bytes:
    """``BatchCalculation`` around answers that are JSON already."""
    errors = [
        JourneyError(index=f.at, line=f.line, **f.error.model_dump()).model_dump(mode="json") for f in found.failed
    ]
    return b'{"sent":%d,"calculated":%d,"failed":%d,"calculations":[%b],"errors":%b}' % (
        found.sent,
        len(found.answers),
        found.sent - len(found.answers),
        b",".join(found.answers),
        msgspec.json.encode(errors),
    )
