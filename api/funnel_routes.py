"""``/api/v1/analytics/conversion-funnel``: how many customers do steps in order, and where they are lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from accounts.roles import Role
from api.access import requires
from api.freshness import freshness
from api.funnel_responses import ConversionFunnel, FunnelStep
from api.funnel_steps import MIN_STEPS, STEP_PATTERN, default_steps, read_steps, step_text
from api.funnel_store import MAX_STEPS, FunnelAsked, Step
from api.live_read import read_now
from api.parameters import problems
from api.periods import End, Start, period
from api.services import Injected
from api.tables import table, table_responses
from attribution.config import DAY_US

_COLUMNS: Final = tuple(FunnelStep.model_fields)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
#: Days that the engine's times of microseconds reach, the window behind them included: into 2282.
_LAST_DAY: Final = 114_000

#: What ``read_steps`` takes; its own refusals say more than a validator's.
_STEPS: Final = {
    "type": "array",
    "minItems": MIN_STEPS,
    "maxItems": MAX_STEPS,
    "items": {"type": "string", "pattern": STEP_PATTERN},
}


def build_router() -> APIRouter:
    """The route of this report."""
    router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])

    @router.get(
        "/conversion-funnel",
        operation_id="get_conversion_funnel",
        summary="Customers by step, with rates and drop-off",
        response_model=ConversionFunnel,
        responses={**table_responses(_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_conversion_funnel(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        step: Annotated[
            Annotated[list[str], WithJsonSchema(_STEPS)] | None,
            Query(
                description="Repeated 2 to 8 times, in order: `any` (any touch), `touch:<channel>`, "
                "`touch_type:<type>` or `conversion:<type>`. Left out: any touch, `lead_created` and "
                "`opportunity_created` where there are such conversions, `purchase`.",
                examples=[["any", "conversion:purchase"]],
            ),
        ] = None,
        window_days: Annotated[
            int, Query(ge=1, le=400, description="The last step comes at most so many days after the first.")
        ] = 30,
    ) -> Response:
        """The first step is in the period; the others may come after its end, within the window.

        Each step is later than the one before, other events may lie between them. A customer counts once, with the
        try that got furthest; linked ids are one customer. A conversion counts as the active run has it: an order
        once, and not when it was refunded in full or cancelled.
        """
        start, end = period(start_date, end_date, services.now().date())
        steps = read_steps(step) if step else default_steps(await services.call(services.store.conversion_types))
        asked = FunnelAsked(steps, _day_us(start), _day_us(end, 1), window_days * DAY_US)
        meta, customers = await read_now(services, services.store.funnel, asked)
        shown = freshness(meta, services.now())
        rows = funnel_steps(steps, customers)
        answer = ConversionFunnel(start_date=start, end_date=end, window_days=window_days, steps=rows, meta=shown)
        lines = [row.model_dump(mode="json") for row in rows]
        return table(request, answer, shown, lines, _COLUMNS, f"conversion-funnel-{start}-{end}")

    return router


def funnel_steps(steps: Sequence[Step], customers: Sequence[int]) -> list[FunnelStep]:
    """Counts with their rates."""
    rows, before = [], None
    for number, (step, found) in enumerate(zip(steps, customers, strict=True), start=1):
        rows.append(
            FunnelStep(
                number=number,
                step=step_text(step),
                customers=found,
                rate_from_previous=found / before if before else None,
                rate_from_first=found / customers[0] if customers[0] else None,
                drop_off=0 if before is None else before - found,
            )
        )
        before = found
    return rows


def _day_us(day: date, more: int = 0) -> int:
    return min(max(day.toordinal() - _EPOCH_DAY + more, 0), _LAST_DAY) * DAY_US
