"""``/metrics`` for Prometheus, with a key like everything else: it sends one as a bearer token.

Counts are of the whole process, over all workspaces, so the key must be an administrator's (a key may have the scope
``manage`` of no other use than this; docs/security.md).
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from accounts.roles import Role
from api.access import requires
from api.parameters import problems
from telemetry.metrics import CONTENT_TYPE


def build_router() -> APIRouter:
    """The route of this resource."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        operation_id="get_metrics",
        summary="Counts and times, in Prometheus' text format",
        response_class=PlainTextResponse,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": "# TYPE …"}}},
            **problems(503),
        },
    )
    @requires(Role.ADMIN, audited=False)
    async def get_metrics(request: Request) -> Response:
        """Of this process since it began. Labels hold route templates, names of queries and topics; no ids."""
        return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE)

    return router
