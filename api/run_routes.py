"""``/api/v1/runs``: which sets of results there are, how two of them differ, and which one is shown."""

from __future__ import annotations

from functools import partial
from threading import Event
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from accounts.roles import Role
from api import run_report
from api.access import requires
from api.errors import Problem
from api.freshness import freshness
from api.parameters import ModelName, json_only, model_id, problems
from api.periods import End, Start, period
from api.run_responses import (
    ChannelDifference,
    ComparedChannel,
    PromoteIn,
    Promotion,
    RunComparison,
    RunDifference,
    RunEntry,
    RunReport,
)
from api.run_store import RunStore
from api.services import Injected, Services
from api.tables import table, table_responses
from clickhouse.errors import RunError
from clickhouse.run import Run

_RUN_COLUMNS: Final = (
    "run_id",
    "name",
    "is_active",
    "is_fed",
    "status",
    "source",
    "model_version",
    "from",
    "to",
    "done",
    "total",
    "created_at",
    "finished_at",
    "detail",
)
_CHANNEL_COLUMNS: Final = tuple(ComparedChannel.model_fields)
_DIFFERENCE_COLUMNS: Final = tuple(ChannelDifference.model_fields)
_RUN_WORDS: Final = "Id or name of a run."
RunName: TypeAlias = Annotated[str, Path(min_length=1, max_length=256, description=_RUN_WORDS, examples=["live"])]


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/runs", tags=["runs"])
    _add_list(router)
    _add_compare(router)
    _add_difference(router)
    _add_one(router)
    _add_promote(router)
    return router


def _add_list(router: APIRouter) -> None:
    @router.get(
        "",
        operation_id="list_runs",
        summary="Runs: sets of results, one of which is shown",
        response_model=RunReport,
        responses={**table_responses(_RUN_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def list_runs(
        request: Request,
        services: Injected,
        with_dropped: Annotated[bool, Query(description="Dropped runs too.")] = False,
    ) -> Response:
        """By id. A run is made by `attribution replay` (docs/replay.md)."""
        meta = freshness(await services.meta(), services.now())
        found = await services.call(services.store.runs)
        answer = RunReport(
            runs=[run_report.entry(r) for r in found if with_dropped or r.status != "dropped"], meta=meta
        )
        lines = [r.model_dump(mode="json") for r in answer.runs]
        return table(request, answer, meta, lines, _RUN_COLUMNS, "runs")


def _add_compare(router: APIRouter) -> None:
    @router.get(
        "/compare",
        operation_id="get_run_comparison",
        summary="Two runs: checksums, rows, channels, the conversions that differ most",
        response_model=RunComparison,
        responses={**table_responses(_CHANNEL_COLUMNS), **problems(404, 406, 409, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_run_comparison(
        request: Request,
        services: Injected,
        run: Annotated[str, Query(min_length=1, max_length=256, description=_RUN_WORDS, examples=["live"])],
        other: Annotated[
            str, Query(alias="with", min_length=1, max_length=256, description="The other one.", examples=["2"])
        ],
        limit: Annotated[int, Query(ge=0, le=1_000, description="Conversions that differ most.")] = 10,
    ) -> Response:
        """In the time that both hold, from the rows themselves: seconds for each hundred thousand conversions.

        `a` is `run`, `b` is `with`. CSV has the channels.
        """
        meta = freshness(await services.meta(), services.now())
        runs = await services.call(services.store.runs)
        a, b = run_report.find(runs, run), run_report.find(runs, other)
        _refuse_dropped(a, b)
        found = await services.call(services.store.compare_runs, a, b, limit)
        answer = run_report.compared(a, b, found, meta)
        lines = [c.model_dump(mode="json") for c in answer.channels]
        return table(request, answer, meta, lines, _CHANNEL_COLUMNS, f"runs-{a.run_id}-{b.run_id}")


def _add_difference(router: APIRouter) -> None:
    @router.get(
        "/difference",
        operation_id="get_run_difference",
        summary="Two runs by channel under one model",
        response_model=RunDifference,
        responses={**table_responses(_DIFFERENCE_COLUMNS), **problems(404, 406, 409, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_run_difference(
        request: Request,
        services: Injected,
        run: Annotated[str, Query(min_length=1, max_length=256, description=_RUN_WORDS, examples=["live"])],
        other: Annotated[
            str, Query(alias="with", min_length=1, max_length=256, description="The other one.", examples=["2"])
        ],
        attribution_model: ModelName = None,
        start_date: Start = None,
        end_date: End = None,
    ) -> Response:
        """From the daily sums, so it answers at once, however large the runs are.

        A run that is not shown gets its sums in the background: `pending_days` says how many days are missing. Of runs
        of a part of the time the whole days that both hold are compared.
        """
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        meta = freshness(await services.meta(), services.now(), model=model)
        runs = await services.call(services.store.runs)
        a, b = run_report.find(runs, run), run_report.find(runs, other)
        _refuse_dropped(a, b)
        start, end = run_report.whole_days(a, b, start, end)
        found = await services.call(services.store.run_difference, a, b, model, start, end)
        answer = RunDifference(
            a=run_report.entry(a),
            b=run_report.entry(b),
            model=model,
            start_date=start,
            end_date=end,
            channels=[ChannelDifference.model_validate(row) for row in found.channels],
            pending_days_a=found.pending[0],
            pending_days_b=found.pending[1],
            meta=meta,
        )
        lines = [c.model_dump(mode="json") for c in answer.channels]
        return table(request, answer, meta, lines, _DIFFERENCE_COLUMNS, f"difference-{a.run_id}-{b.run_id}")


def _refuse_dropped(*runs: Run) -> None:
    gone = next((r for r in runs if r.status == "dropped"), None)
    if gone is not None:
        raise Problem(409, f"Run {gone.name} ({gone.run_id}) was dropped: it has no rows to compare.")


def _add_one(router: APIRouter) -> None:
    @router.get(
        "/{run}",
        operation_id="get_run",
        summary="One run",
        responses=problems(404, 422, 503, 504),
    )
    @requires(Role.VIEWER)
    async def get_run(services: Injected, run: RunName) -> RunEntry:
        """Its parameters, where it came from and how far it is."""
        return run_report.entry(run_report.find(await services.call(services.store.runs), run))


def _add_promote(router: APIRouter) -> None:
    @router.post(
        "/{run}/promote",
        operation_id="post_promotion",
        summary="Show another run",
        responses=problems(404, 409, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ADMIN)
    async def post_promotion(services: Injected, run: RunName, asked: PromoteIn) -> Promotion:
        """From one moment to the next; going back is the same call with the other run.

        409 for what the command refuses, too: a run that is not complete; one that has read further than the workers
        of the shown run; one that nobody can feed, unless `frozen`; and when another run is shown than was expected.
        Repeating it changes nothing. After a 504 nothing will have changed: repeat it, the sums are built by then.
        """
        gone = Event()
        try:
            return await services.call(partial(_promote, services, run, asked, gone))
        except RunError as error:
            raise Problem(409, f"{error}.") from None
        finally:
            gone.set()


def _promote(services: Services, text: str, asked: PromoteIn, gone: Event) -> Promotion:
    store: RunStore = services.store
    runs = store.runs()
    run = run_report.find(runs, text)
    active = next((r for r in runs if r.is_active), None)
    if active is None:
        raise RunError("no run is active; run: attribution migrate")
    if asked.expected_active not in (None, active.run_id) and not run.is_active:
        raise Problem(
            409,
            f"Run {active.name} ({active.run_id}) is shown, not {asked.expected_active}. Look again before you decide.",
            extra={"active": active.run_id},
        )
    changed = False
    if not run.is_active:
        if run.status == "complete" and run.has_feeder:
            services.refuse_gap(active, run)
        run.refuse_to_show(frozen=asked.frozen)
        changed = store.promote_run(
            run, expected=active.run_id, frozen=asked.frozen, is_wanted=lambda: not gone.is_set()
        )
    return Promotion(run_id=run.run_id, name=run.name, changed=changed, previous=active.run_id, is_fed=run.has_feeder)
