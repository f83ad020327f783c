"""``GET /api/v1/stream/conversions``: conversions with their credits as the workers write them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request

from accounts.roles import Role, Scope
from api import live_cursor
from api.access import requires
from api.errors import Problem
from api.event_stream import EventStream
from api.live_event import Wanted
from api.live_responses import LiveConversion
from api.live_stream import LiveStream
from api.parameters import ModelName, model_id, problems
from api.responses import example_of
from api.security import Security
from api.services import Injected

PATH: Final = "/api/v1/stream/conversions"
_EVENT: Final = f"event: conversion\ndata: {msgspec.json.encode(example_of(LiveConversion)).decode()}\n\n"
_DOCUMENTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events: `conversion`, `run`, `end`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EVENT}},
    }
}
_ID: Final = "Id of the last event that was received: the stream goes on behind it."


def build_router() -> APIRouter:
    """The route of this resource."""
    router = APIRouter(tags=["attribution"])

    @router.get(
        PATH,
        operation_id="get_conversion_stream",
        summary="Conversions with their credits, live",
        response_class=EventStream,
        responses={**_DOCUMENTED, **problems(422, 429, 503, 504)},
    )
    @requires(Role.VIEWER, Scope.CUSTOMERS)
    async def get_conversion_stream(
        request: Request,
        services: Injected,
        attribution_model: ModelName = None,
        conversion_type: Annotated[str | None, Query(max_length=256, description="Only this type.")] = None,
        channel: Annotated[
            str | None,
            Query(
                max_length=256,
                description="Only what this channel has a credit of, and its corrections.",
            ),
        ] = None,
        after: Annotated[str | None, Query(max_length=500, description=_ID)] = None,
        last_event_id: Annotated[str | None, Header(max_length=500, description=_ID)] = None,
    ) -> EventStream:
        """From now on, or from behind the last id. A correction is a new event of its conversion, with a higher `rev`.

        At least once: nothing is lost across a reconnect; see docs/api.md for when an event may come twice.
        """
        settings, streams = services.settings, request.app.state.streams
        cursor = live_cursor.decode(last_event_id, "Last-Event-ID") or live_cursor.decode(after, "after")
        model = model_id(attribution_model or settings.default_model)
        wanted = Wanted(model, conversion_type or "", channel or "")
        actor = request.state.principal.actor
        if streams.is_stopping:
            raise Problem(503, "This process is about to stop. Try again in a moment.", headers={"Retry-After": "2"})
        stream = LiveStream(
            services.live,
            services.inserted_rows,
            wanted,
            queue=settings.stream_queue,
            heartbeat_s=settings.stream_heartbeat_s,
            is_allowed=partial(_is_allowed, request),
            is_stopping=lambda: streams.is_stopping,
        )
        await services.live.refresh()
        streams.add(actor, stream.listener)
        stream.begin(cursor)

        def close() -> None:
            request.state.rows = stream.events  # for the audit entry
            stream.close()
            streams.remove(actor, stream.listener)

        return EventStream(stream.events_of(), send_timeout_s=settings.stream_send_timeout_s, on_close=close)

    return router


async def _is_allowed(request: Request) -> bool:
    """Whether the credentials of this request would still open the stream."""
    credential = getattr(request.state, "credential", None)
    if credential is None:  # insecure_dev: nobody is asked
        return True
    security: Security = request.app.state.security
    caller = await security.recognised.holder(credential)
    own = request.state.principal.workspace
    return caller is not None and Scope.CUSTOMERS in caller.scopes and caller.workspace == own
