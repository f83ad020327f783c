"""``/api/v1/runs``: computing everything anew with other parameters, into a run beside the one that is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from accounts.roles import Role
from api import run_report
from api.access import requires
from api.errors import Problem, invalid
from api.parameters import json_only, model_id, problems
from api.replay_store import ReplayAsked, ReplayRefused
from api.run_responses import ReplayIn, RunEntry
from api.run_routes import RunName
from api.services import Injected
from clickhouse.errors import RunError


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/runs", tags=["runs"])
    _add_begin(router)
    _add_cancel(router)
    _add_drop(router)
    return router


def _add_begin(router: APIRouter) -> None:
    @router.post(
        "",
        operation_id="post_run",
        summary="What if: compute a run with other parameters",
        status_code=202,
        responses=problems(409, 413, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ANALYST)
    async def post_run(services: Injected, asked: ReplayIn) -> RunEntry:
        """Like `attribution replay` (docs/replay.md). What is not given is as in the run that is shown.

        The answer comes when the run is made; `done` of `total` and `status` of `GET /runs/{run}` say how far it is.
        The same request again goes on with a run that was stopped. One run of a workspace is computed at a time: 409.
        """
        try:
            run = await services.call(services.replays.begin, _asked(asked))
        except RunError as error:
            raise Problem(409, f"{error}.") from None
        except ReplayRefused as error:
            raise invalid(_NAMES.get(error.field, error.field), None, error.reason) from None
        return run_report.entry(run)


def _add_cancel(router: APIRouter) -> None:
    @router.post(
        "/{run}/cancel",
        operation_id="post_run_cancel",
        summary="Stop computing a run",
        responses=problems(404, 409, 422, 503, 504),
    )
    @requires(Role.ANALYST)
    async def post_run_cancel(services: Injected, run: RunName) -> RunEntry:
        """What is computed stays: the request that began it goes on there."""
        found = run_report.find(await services.call(services.store.runs), run)
        try:
            stopped = await services.call(services.replays.cancel, found)
        except RunError as error:
            raise Problem(409, f"{error}.") from None
        return run_report.entry(stopped)


def _add_drop(router: APIRouter) -> None:
    @router.post(
        "/{run}/drop",
        operation_id="post_run_drop",
        summary="Remove a run",
        status_code=204,
        responses=problems(404, 409, 422, 503, 504),
    )
    @requires(Role.ADMIN)
    async def post_run_drop(services: Injected, run: RunName) -> Response:
        """Rows, sums, group, changelog and directories. 409: it is shown, it is `live`, or it is being computed."""
        found = run_report.find(await services.call(services.store.runs), run)
        try:
            await services.call(services.replays.drop, found)
        except RunError as error:
            raise Problem(409, f"{error}.") from None
        return Response(status_code=204)


#: Names of parameters where they differ from those of the command's files.
_NAMES = {"lookback_window_days": "lookback_days"}


def _asked(body: ReplayIn) -> ReplayAsked:
    models = None if body.models is None else tuple(dict.fromkeys(model_id(m, "models") for m in body.models))
    found: dict[str, Any] = {
        "half_life_days": body.half_life_days,
        "lookback_window_days": body.lookback_days,
        "exclude_channels": None if body.exclude_channels is None else tuple(body.exclude_channels),
        "models": models,
    }
    parameters = {name: value for name, value in found.items() if value is not None}
    return ReplayAsked(body.name, _text(body.start), _text(body.end), parameters, body.source)


def _text(at: datetime | None) -> str:
    if at is None:
        return ""
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).isoformat()
