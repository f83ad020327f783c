"""Reports over the paths of conversions: which, how long, how late, and by what parts of channels.

Days that still change are read from the attributions of the run, so answers are not kept: a state of the sums says
nothing of rows that were written since. They are read after ``meta``, so they are never older than it says; who asks
the same at once shares an answer.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.roles import Role
from api import cursor as cursors
from api import paths_report, responses, store
from api.access import requires
from api.errors import invalid
from api.freshness import freshness
from api.parameters import Cursor, problems
from api.paths_responses import (
    AssistsReport,
    ChannelAssists,
    PathLengthReport,
    PathLengthRow,
    SharedWorth,
    TimeLagReport,
    TopPathsReport,
)
from api.paths_store import PathPosition, PathsAsked, PathsShown
from api.periods import ConversionType, Currency, End, Start, period
from api.services import Injected, Services
from api.tables import table, table_responses

#: Days without current sums are read row by row for each answer.
MAX_DAYS: Final = 100
_LARGEST: Final = 2**63 - 1

_PATH_COLUMNS: Final = ("path", "conversions", "value", "value_micros", "mean_touches", "share")
_LENGTH_COLUMNS: Final = tuple(PathLengthRow.model_fields)
_LAG_COLUMNS: Final = (
    "bucket",
    "from_seconds",
    "to_seconds",
    *(f"{since}_{name}" for since in ("since_first_touch", "since_last_touch") for name in SharedWorth.model_fields),
)
_ASSIST_COLUMNS: Final = tuple(ChannelAssists.model_fields)


class _Asked(NamedTuple):
    """The question, and what its answer stands on."""

    question: PathsAsked
    meta: store.Meta

    def shown(self, services: Services) -> responses.Meta:
        return freshness(self.meta, services.now(), currency=self.question.currency)

    def file(self, report: str) -> str:
        return f"{report}-{self.question.start}-{self.question.end}"


async def _ask(services: Services, start: Start, end: End, currency: Currency, kind: ConversionType) -> _Asked:
    first, last = period(start, end, services.now().date(), max_days=MAX_DAYS)
    meta = await services.meta()
    money = currency or services.settings.reporting_currency
    age = services.settings.fx_max_age_days
    return _Asked(PathsAsked(meta.run_id, first, last, money, kind or "", age), meta)


def build_router() -> APIRouter:
    """The routes of these reports."""
    router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])
    _add_top_paths(router)
    _add_path_length(router)
    _add_time_lag(router)
    _add_assists(router)
    return router


def _add_top_paths(router: APIRouter) -> None:
    @router.get(
        "/top-paths",
        operation_id="get_top_paths",
        summary="The most frequent paths to conversion",
        response_model=TopPathsReport,
        responses={**table_responses(_PATH_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_top_paths(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
        channel: Annotated[
            str | None,
            Query(
                min_length=1,
                max_length=256,
                description="Only paths with a touch of this channel; `unattributed`: those without a touch.",
            ),
        ] = None,
        by: Annotated[
            Literal["channel", "campaign"], Query(description="What a step is; a campaign stands with its channel.")
        ] = "channel",
        collapse: Annotated[
            Literal["consecutive", "none"], Query(description="`consecutive`: equal steps in a row are one.")
        ] = "consecutive",
        limit: Annotated[int, Query(ge=1, le=500, description="Paths in this page.")] = 100,
        cursor: Cursor = None,
    ) -> Response:
        """Most conversions first; a period of at most 100 days.

        `totals` and shares are of all that match. A page behind a cursor is of the report as it is now.
        """
        after = _position(cursor)
        asked = await _ask(services, start_date, end_date, currency, conversion_type)
        # one more than is shown tells whether there is a next page
        wanted = PathsShown(channel or "", by == "campaign", collapse == "consecutive", after, limit + 1)
        found = await services.shared(services.store.top_paths, asked.question, wanted)
        page, meta = paths_report.paths(found)[:limit], asked.shown(services)
        last = found.paths[limit - 1] if len(found.paths) > limit else None
        answer = TopPathsReport(
            start_date=asked.question.start,
            end_date=asked.question.end,
            by=by,
            collapse=collapse,
            paths=page,
            totals=paths_report.touched(found.total),
            next_cursor=cursors.encode_position("path", (last.sum.conversions, last.path_id)) if last else None,
            other_currencies=list(found.other_currencies),
            converted_currencies=list(found.converted_currencies),
            meta=meta,
        )
        lines = [row.model_dump(mode="json") for row in page]
        return table(request, answer, meta, lines, _PATH_COLUMNS, asked.file("top-paths"))


def _position(cursor: str | None) -> PathPosition | None:
    found = cursors.decode_position(cursor, "path", int, str)
    if found is None:
        return None
    if not 0 < found[0] <= _LARGEST:
        raise invalid("cursor", cursor, "is not a cursor of this endpoint; give back next_cursor as it came")
    return PathPosition(*found)


def _add_path_length(router: APIRouter) -> None:
    @router.get(
        "/path-length",
        operation_id="get_path_length",
        summary="How many touches conversions have",
        response_model=PathLengthReport,
        responses={**table_responses(_LENGTH_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_path_length(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
        longest: Annotated[
            int, Query(ge=1, le=1_000, description="The last row: conversions with this many touches or more.")
        ] = 12,
    ) -> Response:
        """A row for each number of eligible touches, from 0; a period of at most 100 days."""
        asked = await _ask(services, start_date, end_date, currency, conversion_type)
        found = await services.shared(services.store.path_lengths, asked.question, longest)
        rows, meta = paths_report.lengths(found, longest), asked.shown(services)
        answer = PathLengthReport(
            start_date=asked.question.start,
            end_date=asked.question.end,
            lengths=rows,
            totals=paths_report.touched(paths_report.added(found.by_length.values())),
            other_currencies=list(found.other_currencies),
            converted_currencies=list(found.converted_currencies),
            meta=meta,
        )
        lines = [row.model_dump(mode="json") for row in rows]
        return table(request, answer, meta, lines, _LENGTH_COLUMNS, asked.file("path-length"))


def _add_time_lag(router: APIRouter) -> None:
    @router.get(
        "/time-lag",
        operation_id="get_time_lag",
        summary="How long conversions take from their first and last touch",
        response_model=TimeLagReport,
        responses={**table_responses(_LAG_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_time_lag(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
    ) -> Response:
        """Under an hour, under a day, then by whole days of 24 hours; a period of at most 100 days.

        Only eligible touches count, so no time is longer than the lookback window.
        """
        asked = await _ask(services, start_date, end_date, currency, conversion_type)
        found = await services.shared(services.store.time_lags, asked.question)
        buckets, meta = paths_report.lags(found), asked.shown(services)
        answer = TimeLagReport(
            start_date=asked.question.start,
            end_date=asked.question.end,
            buckets=buckets,
            since_first_touch=paths_report.quantiles(found.first_s),
            since_last_touch=paths_report.quantiles(found.last_s),
            totals=paths_report.worth(paths_report.added(found.pairs.values())),
            other_currencies=list(found.other_currencies),
            converted_currencies=list(found.converted_currencies),
            meta=meta,
        )
        lines = []
        for row in buckets:
            plain = row.model_dump(mode="json")
            since = ("since_first_touch", "since_last_touch")
            lines.append(plain | {f"{s}_{name}": value for s in since for name, value in plain[s].items()})
        return table(request, answer, meta, lines, _LAG_COLUMNS, asked.file("time-lag"))


def _add_assists(router: APIRouter) -> None:
    @router.get(
        "/assisted-conversions",
        operation_id="get_assisted_conversions",
        summary="Conversions that channels close, assist and begin",
        response_model=AssistsReport,
        responses={**table_responses(_ASSIST_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_assisted_conversions(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
    ) -> Response:
        """Most assisted conversions first; a period of at most 100 days. Each conversion counts whole for each role."""
        asked = await _ask(services, start_date, end_date, currency, conversion_type)
        found = await services.shared(services.store.assists, asked.question)
        rows, meta = paths_report.assists(found), asked.shown(services)
        answer = AssistsReport(
            start_date=asked.question.start,
            end_date=asked.question.end,
            channels=rows,
            totals=paths_report.worth(paths_report.added(found.last.values())),
            unattributed=paths_report.worth(found.untouched),
            other_currencies=list(found.other_currencies),
            converted_currencies=list(found.converted_currencies),
            meta=meta,
        )
        lines = [row.model_dump(mode="json") for row in rows]
        return table(request, answer, meta, lines, _ASSIST_COLUMNS, asked.file("assisted-conversions"))
