"""``POST /v1/…`` and ``POST /mp/collect``: SDKs of Segment, RudderStack and GA4 point here.

The answer comes when Kafka has confirmed every event, and every refused message as a dead letter: 200 (204 for GA4),
or 503 and the SDK sends all again, which changes nothing. One bad message never costs the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from accounts.roles import Role
from api.access import requires
from api.collector_intake import Collected, Refused, collect
from api.collector_responses import RefusedMessage, Taken
from api.errors import Problem, invalid
from api.ingest_body import unpacked
from api.intake import MAX_EVENTS
from api.parameters import problems
from api.services import Injected, Services
from collector import ga4, segment
from collector.mapped import Read, ShapeError, label
from schemas.lines import loads

#: Paths that take the larger bodies.
BULK_PATHS: Final = frozenset({"/v1/batch", "/v1/import"})
_PAGE: Final = {
    "messageId": "m-1",
    "anonymousId": "device-7",
    "timestamp": "2026-11-20T10:00:00.000Z",
    "context": {"page": {"url": "https://shop.example/?utm_source=news&utm_medium=email", "referrer": ""}},
}
_ORDER: Final = {
    "messageId": "m-2",
    "userId": "ada",
    "event": "Order Completed",
    "timestamp": "2026-11-21T18:30:00.000Z",
    "properties": {"order_id": "o-1", "total": 49.90, "currency": "USD"},
}
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "track": _ORDER,
    "page": _PAGE,
    "screen": {"messageId": "m-3", "userId": "ada", "name": "Basket"},
    "identify": {"messageId": "m-4", "userId": "ada", "anonymousId": "device-7"},
    "alias": {"messageId": "m-5", "userId": "ada", "previousId": "ada@old"},
    "group": {"messageId": "m-6", "userId": "ada", "groupId": "g-1"},
    "batch": {"batch": [{"type": "page", **_PAGE}, {"type": "track", **_ORDER}], "sentAt": "2026-11-21T18:30:01.000Z"},
    "import": {"batch": [{"type": "track", **_ORDER}]},
}
_GA4: Final = {
    "client_id": "123.456",
    "timestamp_micros": 1795199400000000,
    "events": [{"name": "purchase", "params": {"transaction_id": "o-2", "value": 19.99, "currency": "EUR"}}],
}


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(tags=["collector"])
    for name, body in _BODIES.items():
        router.add_api_route(
            f"/v1/{name}",
            _endpoint(name),
            methods=["POST"],
            operation_id=f"post_segment_{name}",
            summary="Messages of Segment's spec in a batch" if "batch" in body else f"One {name} message",
            response_model=Taken,
            responses=problems(400, 413, 415, 422, 503, 504),
            openapi_extra=_described(body),
        )

    @router.post(
        "/mp/collect",
        operation_id="post_measurement_protocol",
        summary="Events of GA4's Measurement Protocol",
        status_code=204,
        responses=problems(400, 413, 415, 422, 503, 504),
        openapi_extra=_described(_GA4),
    )
    @requires(Role.INGESTOR)
    async def post_measurement_protocol(request: Request, services: Injected) -> Response:
        """A write key comes as `api_secret`; `measurement_id` is not looked at.

        `X-Events-Accepted`, `X-Events-Ignored` and `X-Events-Rejected` count what became of the events.
        """
        found = await _take(request, services, ga4.read_payload)
        counts = {"Accepted": found.accepted, "Ignored": found.ignored, "Rejected": len(found.refused)}
        return Response(status_code=204, headers={f"X-Events-{name}": str(count) for name, count in counts.items()})

    return router


def _endpoint(name: str) -> Callable[..., Awaitable[JSONResponse]]:
    read = segment.read_batch if f"/v1/{name}" in BULK_PATHS else partial(segment.read_message, name)

    @requires(Role.INGESTOR)
    async def post_messages(request: Request, services: Injected) -> JSONResponse:
        """A write key comes as the user name of Basic authorization, as SDKs send it. Plain or gzip.

        Refused messages are in `errors` and in the dead letters; they do not change the status, since an SDK would
        throw the batch away.
        """
        found = await _take(request, services, read)
        answer = Taken(
            accepted=found.accepted,
            ignored=found.ignored,
            rejected=len(found.refused),
            errors=[_told(refused) for refused in found.refused],
        )
        return JSONResponse(answer.model_dump(mode="json"))

    return post_messages


async def _take(request: Request, services: Services, read: Callable[..., Read | Sequence[Read]]) -> Collected:
    body, encoding = await request.body(), request.headers.get("content-encoding", "")
    found = await services.intake(partial(_collected, body, encoding, services, read))
    failed = await services.write(found.records)
    if failed:
        reason = next(iter(failed.values()))
        raise Problem(
            503,
            f"kafka confirmed {len(found.records) - len(failed)} of {len(found.records)} records: {reason}. Send the "
            "request again; an event that was written already counts once.",
            dependency="kafka",
            headers={"Retry-After": "2"},
        )
    return found


def _collected(body: bytes, encoding: str, services: Services, read: Callable[..., Read | Sequence[Read]]) -> Collected:
    now = services.now()
    try:
        content = loads(unpacked(body, encoding, services.settings.max_unpacked_bytes))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None
    try:
        made = read(content, received_us=int(now.timestamp() * 1_000_000), names=services.event_names)
    except ShapeError as error:
        raise invalid(error.field, type(content).__name__, error.detail) from None
    reads = [made] if isinstance(made, Read) else made
    if len(reads) > MAX_EVENTS:
        raise Problem(413, f"{len(reads)} messages, at most {MAX_EVENTS} in one request. Send them in several.")
    return collect(reads, services.channel_rules, now, services.topic_named)


def _told(refused: Refused) -> RefusedMessage:
    message = refused.message
    return RefusedMessage(
        index=refused.at,
        message_id=label(message.get("messageId")) if isinstance(message, dict) else None,
        field=refused.refusal.field,
        reason=refused.refusal.reason,
        detail=refused.refusal.detail,
    )


def _described(body: dict[str, Any]) -> dict[str, Any]:
    """The schema says what a body as a whole must be; what is wrong with one message is told in the answer."""
    schema: dict[str, Any] = {"type": "object", "example": body}
    if "batch" in body:
        schema |= {"required": ["batch"], "properties": {"batch": {"type": "array", "maxItems": MAX_EVENTS}}}
    if "events" in body:  # bounded by the size of the body
        schema |= {"required": ["events"], "properties": {"events": {"type": "array"}}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
