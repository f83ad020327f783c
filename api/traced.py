"""Requests as parts of traces: what a caller sends in ``traceparent`` goes on to Kafka and into the log. Pure ASGI.

With a tracer every request has a span of its own, and that is what goes on.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import AccessTable
from api.errors import problem_of
from telemetry.traceparent import CURRENT, TRACEPARENT, TraceParent, parse
from telemetry.tracing import Tracer

_HEADER: Final = TRACEPARENT.encode()
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Traced:
    """Wraps an application.

    Args:
        app: what to trace.
        table: knows the templates of routes.
        tracer: where spans go; None: nowhere, what was sent is passed on.
    """

    def __init__(self, app: ASGIApp, *, table: AccessTable, tracer: Tracer | None) -> None:
        self._app, self._table, self._tracer = app, table, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = next((parse(value) for name, value in scope["headers"] if name == _HEADER), None)
        if self._tracer is not None:
            await self._in_span(self._tracer, parent, scope, receive, send)
        elif parent is not None:
            await self._within(parent, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _within(self, place: TraceParent, scope: Scope, receive: Receive, send: Send) -> None:
        token = CURRENT.set(place)
        try:
            await self._app(scope, receive, send)
        finally:
            CURRENT.reset(token)

    async def _in_span(
        self, tracer: Tracer, parent: TraceParent | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        access = self._table.find(scope["method"], scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        span = tracer.request(method, "-" if access is None else access.template, parent)
        status = 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._within(span.place, scope, receive, noting_send)
        except Exception as error:
            problem = problem_of(error, scope)
            status = status or (500 if problem is None else problem.status)
            raise
        finally:
            span.end(status or 504)
