"""``/health`` and ``/ready``: whether the API answers, and whether what it depends on does, by name."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import anyio
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from accounts.errors import AccountError
from api.access import public
from api.data_responses import DependencyState, Health
from api.errors import Problem
from api.parameters import problems
from api.security import Security
from api.services import Injected, Services
from api.store import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_CHECK_TIMEOUT_S: Final = 2.0


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(tags=["health"])

    @router.get("/health", operation_id="get_health", summary="The API answers", responses=problems())
    @public
    async def get_health(request: Request, services: Injected) -> Health:
        """Always 200 while the API itself is alive; `dependencies` says what it would miss."""
        return await _health(services, request.app.state.security)

    @router.get(
        "/ready",
        operation_id="get_readiness",
        summary="The API can serve its data",
        responses=problems(503),
        response_model=Health,
    )
    @public
    async def get_readiness(request: Request, services: Injected) -> Response:
        """503 while a required dependency is down. Kafka is not required: every report works without it."""
        health = await _health(services, request.app.state.security)
        down = [d for d in health.dependencies if d.required and d.status != "ok"]
        if down:
            names = ", ".join(f"{d.name} is unavailable: {d.reason}" for d in down)
            raise Problem(503, names, dependency=down[0].name, headers={"Retry-After": "2"})
        return JSONResponse(health.model_dump(mode="json"))

    return router


async def _health(services: Services, security: Security) -> Health:
    states: dict[str, DependencyState] = {}

    async def check(name: str, required: bool, question: Callable[[], object]) -> None:
        reason = f"no answer within {_CHECK_TIMEOUT_S:g} s"
        with anyio.move_on_after(_CHECK_TIMEOUT_S):
            try:
                await services.call(question)
            except Unavailable as error:
                reason = error.reason
            except AccountError:
                reason = "its database or files cannot be used"
            else:
                states[name] = DependencyState(name=name, status="ok", required=required)
                return
        states[name] = DependencyState(name=name, status="unavailable", required=required, reason=reason)

    def open_accounts() -> object:
        return security.accounts.workspaces.names()

    async with anyio.create_task_group() as group:
        group.start_soon(check, "clickhouse", True, services.store.ping)
        group.start_soon(check, "kafka", False, services.offsets.read)
        if not services.settings.insecure_dev:  # else nobody is asked who they are
            group.start_soon(check, "accounts", True, open_accounts)
    dependencies = [states[name] for name in ("clickhouse", "kafka", "accounts") if name in states]
    is_ok = all(d.status == "ok" for d in dependencies)
    return Health(
        status="ok" if is_ok else "degraded", version=version("realtime-attribution"), dependencies=dependencies
    )
