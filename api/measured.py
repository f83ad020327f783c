"""Counts every request: around the gate, so that what it refuses is counted, too. Pure ASGI."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import AccessTable
from api.errors import problem_of
from telemetry.api_metrics import ApiMetrics

#: Methods that routes have; any other is shown as "other", since a caller may invent them.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REFUSALS: Final = frozenset({401, 403, 429})


class Measured:
    """Wraps an application.

    Args:
        app: what to measure; a failure that it raises counts as the status of its problem.
        table: knows the templates of routes.
        metrics: where to count.
    """

    def __init__(self, app: ASGIApp, *, table: AccessTable, metrics: ApiMetrics) -> None:
        self._app, self._table, self._metrics = app, table, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        took = 0.0

        async def noting_send(message: Message) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status, took = message["status"], time.perf_counter() - began
            await send(message)

        self._metrics.add("attribution_api_requests_in_flight")
        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            problem = problem_of(error, scope)
            status = status or (500 if problem is None else problem.status)
            raise
        finally:
            self._metrics.add("attribution_api_requests_in_flight", by=-1)
            self._count(scope, status or 504, took or time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, took: float) -> None:
        access = self._table.find(scope["method"], scope["path"])
        route = "-" if access is None else access.template
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.add("attribution_api_requests_total", route, method, str(status))
        self._metrics.observe("attribution_api_request_seconds", took, route, method)
        if status in _REFUSALS:
            self._metrics.add("attribution_api_refused_total", str(status))
