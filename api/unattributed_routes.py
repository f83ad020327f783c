"""``/api/v1/analytics/unattributed``: conversions that no touch could claim, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.roles import Role
from api.access import requires
from api.errors import invalid
from api.freshness import freshness
from api.funnel_store import REASONS, UnattributedAsked, UnattributedRow
from api.live_read import read_now
from api.parameters import problems
from api.periods import ConversionType, Currency, End, Start, period
from api.responses import amount
from api.services import Injected
from api.tables import table, table_responses
from api.unattributed_responses import ReasonSums, UnattributedPoint, UnattributedReport, UnattributedSums
from attribution.config import DAY_US

_COLUMNS: Final = ("date", "conversion_type", "reason", "conversions", "value", "value_micros")
_MAX_ROWS: Final = 50_000


def build_router() -> APIRouter:
    """The route of this report."""
    router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])

    @router.get(
        "/unattributed",
        operation_id="get_unattributed",
        summary="Conversions without an eligible touch, by reason, day and type",
        response_model=UnattributedReport,
        responses={**table_responses(_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_unattributed(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
        interval: Annotated[
            Literal["day", "week", "month"], Query(description="UTC; weeks begin on Monday, and name their Monday.")
        ] = "day",
    ) -> Response:
        """The reason is that of the touch that got furthest through the tests of the active run.

        `no_touch`: the customer has none. `after_conversion`: all touches came later. `outside_lookback`: the last one
        came too early. `excluded_channel`: those in the window are of channels that the run excludes. `before_reset`:
        a conversion of a type that ends a journey took them. `not_counted`: a touch passes every test, and the run does
        not have it: it came too late, went beyond a bound, or is not processed yet. Linked ids are one customer.
        """
        start, end = period(start_date, end_date, services.now().date())
        money = currency or services.settings.reporting_currency
        age = services.settings.fx_max_age_days
        asked = UnattributedAsked(start, end, money, conversion_type or "", interval, age)
        meta, found = await read_now(services, services.store.unattributed, asked)
        if len(found.rows) > _MAX_ROWS:
            raise invalid("interval", interval, f"gives more than {_MAX_ROWS} rows; ask for fewer days or month")
        shown = freshness(meta, services.now(), currency=money)
        rows = [_point(row) for row in found.rows]
        config = found.config
        answer = UnattributedReport(
            start_date=start,
            end_date=end,
            interval=interval,
            lookback_days=config.lookback_us / DAY_US if config else None,
            excluded_channels=sorted(config.exclude_channels) if config else [],
            reset_on_conversion=sorted(config.reset_on_conversion) if config else [],
            reasons=_reasons(found.rows),
            rows=rows,
            totals=_sums(found.rows),
            other_currencies=list(found.other_currencies),
            converted_currencies=list(found.converted_currencies),
            meta=shown,
        )
        lines = [row.model_dump(mode="json") for row in rows]
        return table(request, answer, shown, lines, _COLUMNS, f"unattributed-{start}-{end}")

    return router


def _point(row: UnattributedRow) -> UnattributedPoint:
    return UnattributedPoint(
        date=row.day, conversion_type=row.conversion_type, reason=row.reason, **_sums([row]).model_dump()
    )


def _sums(rows: Sequence[UnattributedRow]) -> UnattributedSums:
    micros = sum(r.value_micros for r in rows)
    return UnattributedSums(conversions=sum(r.conversions for r in rows), value=amount(micros), value_micros=micros)


def _reasons(rows: Sequence[UnattributedRow]) -> list[ReasonSums]:
    every = sum(r.conversions for r in rows)
    parts = [(reason, _sums([r for r in rows if r.reason == reason])) for reason in REASONS]
    return [
        ReasonSums(reason=reason, **part.model_dump(), share=part.conversions / every if every else None)
        for reason, part in parts
    ]
