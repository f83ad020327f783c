"""``POST /api/v1/data/…``: events in bulk, and requests to be forgotten.

The answer comes when Kafka has confirmed: 202 all taken, 207 some, 422 none (nothing written), 503 when Kafka did not
confirm all, with the indices to send again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from accounts.roles import Role
from api.access import requires
from api.errors import Problem, invalid, shown
from api.event_schemas import EVENTS
from api.ingest_body import raw_lines, rows_of, unpacked
from api.ingest_responses import ErasureAccepted, Ingested, RejectedRow
from api.intake import MAX_EVENTS, RowError, checked, derived_id, take, take_lines
from api.parameters import json_only, problems
from api.responses import FieldError, example
from api.services import Injected, Services
from schemas.codec import EventKind
from schemas.records import InvalidRecordError

_MEDIA: Final = {
    "touchpoint": '{"event_id":"t-1","customer_id":"c-42","occurred_at":"2026-11-01T09:00:00Z","channel":"Email"}',
    "conversion": '{"event_id":"o-1","customer_id":"c-42","occurred_at":"2026-11-14T08:00:00Z","order_id":"1001",'
    '"value":"99.90","currency":"USD"}',
    "spend": '{"event_id":"s-1","spend_date":"2026-11-01","channel":"Email","cost":"12.50","currency":"USD"}',
    "identity": '{"event_id":"i-1","customer_id":"c-42","previous_id":"device-7","occurred_at":"2026-11-01T09:00:00Z"}',
}
_PATHS: Final[dict[str, EventKind]] = {
    "touchpoints": "touchpoint",
    "conversions": "conversion",
    "spend": "spend",
    "identities": "identity",
}
_TOPICS: Final = {kind: f"attribution.{name}" for name, kind in _PATHS.items()}
PREFIX: Final = "/api/v1/data"
#: Paths that take the larger bodies.
BULK_PATHS: Final = frozenset(f"{PREFIX}/{name}" for name in _PATHS)


class ErasureRequest(BaseModel):
    """Whom to forget."""

    model_config = example({"customer_id": "c-42", "policy": "delete"})

    customer_id: Annotated[str, Field(min_length=1, max_length=256)]
    policy: Literal["delete", "anonymize"] = "delete"
    request_id: Annotated[
        str | None,
        Field(
            min_length=1, max_length=256, description="Names the request; left out, it follows from id, policy, day."
        ),
    ] = None


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix=PREFIX, tags=["data"])
    for name, kind in _PATHS.items():
        router.add_api_route(
            f"/{name}",
            _endpoint(kind),
            methods=["POST"],
            operation_id=f"post_{name}",
            summary=f"Send up to {MAX_EVENTS:,} {name if name != 'spend' else 'rows of spend'}",
            status_code=202,
            response_model=Ingested,
            responses={
                207: {"model": Ingested, "description": "Some events were taken."},
                **problems(400, 413, 415, 422, 503, 504),
            },
            openapi_extra=_body_of(kind),
        )

    @router.post(
        "/erasures",
        operation_id="post_erasure",
        summary="Forget a customer",
        status_code=202,
        responses=problems(415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ADMIN)
    async def post_erasure(asked: ErasureRequest, services: Injected) -> ErasureAccepted:
        """Writes the request to its topic; the workers carry it out (docs/corrections.md). Repeating it is harmless."""
        now = services.now()
        fields: dict[str, Any] = {
            "customer_id": asked.customer_id,
            "policy": asked.policy,
            "requested_at": now.isoformat(),
        }
        named = {"customer_id": asked.customer_id, "policy": asked.policy, "day": now.date().isoformat()}
        try:
            fields["event_id"] = asked.request_id or derived_id("erasure", named)
            _, record = checked("erasure", fields, services.channel_rules, int(now.timestamp() * 1000))
        except InvalidRecordError as error:
            raise invalid(error.field or "customer_id", fields.get(error.field), error.detail) from None
        failed = await services.write([record])
        if failed:
            raise _unconfirmed(failed, [0], 0)
        return ErasureAccepted(request_id=fields["event_id"], policy=asked.policy)

    return router


def _endpoint(kind: EventKind) -> Callable[..., Awaitable[JSONResponse]]:
    @requires(Role.INGESTOR)
    async def post_events(request: Request, services: Injected) -> JSONResponse:
        """JSON (array or `{"events": [...]}`), NDJSON or CSV, plain or gzip.

        202: all events are durable in Kafka. 207: some are; `errors` names the others. 422: none was written. An event
        without `event_id` gets one from its content, so the same event twice counts once either way.
        """
        return await _ingest(kind, await request.body(), request, services)

    return post_events


async def _ingest(kind: EventKind, body: bytes, request: Request, services: Services) -> JSONResponse:
    headers = request.headers
    now_ms = int(services.now().timestamp() * 1000)
    read = partial(
        _read,
        kind,
        body,
        headers.get("content-encoding", ""),
        headers.get("content-type", ""),
        services,
        now_ms,
    )
    sent, taken = await services.intake(read)
    errors = [_rejected(e) for e in taken.errors]
    if not sent:
        raise invalid("body", None, "holds no events; send at least one")
    count = partial(services.metrics.add, "attribution_api_intake_events_total", _TOPICS[kind])
    count("rejected", by=len(errors))
    if not taken.records:
        raise Problem(
            422,
            f"None of {sent} events can be used; nothing was written.",
            errors=[
                FieldError(
                    field=f"events.{e.index}.{e.field}".rstrip("."), value=e.value, reason=f"{e.reason}: {e.detail}"
                )
                for e in errors
            ],
        )
    failed = await services.write(taken.records)
    count("accepted", by=len(taken.records) - len(failed))
    count("unconfirmed", by=len(failed))
    if failed:
        raise _unconfirmed(failed, taken.indices, len(errors))
    answer = Ingested(sent=sent, accepted=len(taken.records), rejected=len(errors), errors=errors)
    return JSONResponse(answer.model_dump(mode="json"), 207 if errors else 202)


def _read(kind: EventKind, body: bytes, encoding: str, content_type: str, services: Services, now_ms: int) -> Any:
    plain = unpacked(body, encoding, services.settings.max_unpacked_bytes)
    lines = raw_lines(plain, content_type)
    rows = rows_of(plain, content_type) if lines is None else []
    sent = len(rows if lines is None else lines)
    if sent > MAX_EVENTS:
        raise Problem(413, f"{sent} events, at most {MAX_EVENTS} in one request. Send them in several.")
    if lines is None:
        return sent, take(kind, rows, services.channel_rules, now_ms)
    return sent, take_lines(kind, lines, services.channel_rules, now_ms)


def _rejected(error: RowError) -> RejectedRow:
    return RejectedRow(
        index=error.at,
        line=error.line,
        event_id=error.event_id,
        field=error.field,
        value=shown(error.value),
        reason=error.reason,
        detail=error.detail,
    )


def _unconfirmed(failed: dict[int, str], indices: list[int], rejected: int) -> Problem:
    """503 that says which events are certainly written: all accepted ones but those listed."""
    reason = next(iter(failed.values()))
    open_indices = sorted(indices[i] for i in failed)
    return Problem(
        503,
        f"kafka confirmed {len(indices) - len(failed)} of {len(indices)} events: {reason}. Send those in `unconfirmed` "
        "(or all) again; an event that was written already counts once.",
        dependency="kafka",
        headers={"Retry-After": "2"},
        extra={
            "accepted": len(indices) - len(failed),
            "rejected": rejected,
            "unconfirmed": [list(span) for span in spans(open_indices)],
        },
    )


def spans(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending indices as ranges, both ends included."""
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found


def _body_of(kind: EventKind) -> dict[str, Any]:
    line = _MEDIA[kind]
    event = json.loads(line)
    table = f"{','.join(event)}\n{','.join(event.values())}\n"
    reference = {"$ref": f"#/components/schemas/{EVENTS[kind]['title']}"}
    schema = {"type": "array", "items": reference, "minItems": 1, "maxItems": MAX_EVENTS}
    text = {"type": "string"}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema | {"example": [event]}},
                "application/x-ndjson": {"schema": text, "example": line},
                "text/csv": {"schema": text, "example": table},
            },
        }
    }
