"""``/api/v1/analytics/budget``: where the next unit of money would bring most, by the credit of a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.roles import Role
from api.access import requires
from api.analytics_store import SumKey, Sums, SumsAsked
from api.budget_responses import BudgetChannel, BudgetPlan
from api.errors import invalid
from api.freshness import freshness
from api.parameters import ModelName, model_id, problems
from api.periods import ConversionType, Currency, End, Start, period
from api.responses import amount
from api.services import Injected
from api.tables import table, table_responses

if TYPE_CHECKING:
    from datadriven.budget import Curve, Move

_COLUMNS: Final = tuple(BudgetChannel.model_fields)
_DAYS: Final = {"day": 1, "week": 7}
ASSUMPTIONS: Final = (
    "credit follows spend, and not the other way round: budgets raised in good weeks make a channel look elastic",
    "channels do not help each other",
    "an interval's spend works in that interval; nothing carries over",
    "the curve goes on a little beyond the spends that were observed",
    "what the model credits was caused; a lift test is the check",
)
_MICROS: Final = 1_000_000


def build_router() -> APIRouter:
    """The route of this report."""
    router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])

    @router.get(
        "/budget",
        operation_id="get_budget",
        summary="Response curves, marginal ROAS, and a budget that follows them",
        response_model=BudgetPlan,
        responses={**table_responses(_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_budget(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        attribution_model: ModelName = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
        interval: Annotated[Literal["day", "week"], Query(description="What a point of a curve is.")] = "week",
        most_change: Annotated[
            float, Query(ge=0, le=1, description="Share by which a channel's spend may change.")
        ] = 0.3,
        total: Annotated[
            str | None,
            Query(
                pattern=r"^[1-9][0-9]{0,8}(\.[0-9]{1,6})?$",
                description="Spend of an interval, 1 or more; what is spent now.",
                examples=["2500.50"],
            ),
        ] = None,
    ) -> Response:
        """The total stays, or becomes `total`; each channel moves by at most `most_change`.

        A curve needs eight intervals in which spend has moved by a tenth; otherwise its elasticity is assumed, and
        `warnings` say so. Ask for 90 days or more. What the plan stands on is in `assumptions`.
        """
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        money = currency or services.settings.reporting_currency
        kind, age = conversion_type or "", services.settings.fx_max_age_days
        asked = SumsAsked(start, end, (model,), money, kind, "conversion_day", interval, False, age)
        meta, sums = await services.report(services.store.sums, asked)
        dates = whole(start, end, interval)
        if not dates:
            raise invalid("start_date", str(start), f"the period holds no whole {interval}; ask for more days")
        curves, spend, left_out = await services.call(_curves, sums, model, dates)
        wanted = None if total is None else int(Decimal(total) * _MICROS)
        moves = await services.call(_moves, curves, spend, wanted, most_change)
        shown = freshness(meta.by("conversion_day"), services.now(), model=model, currency=money)
        channels = [_channel(move, curves[move.channel]) for move in moves]
        answer = BudgetPlan(
            start_date=start,
            end_date=end,
            interval=interval,
            intervals=len(dates),
            channels=channels,
            total=amount(sum(m.planned_micros for m in moves)),
            total_micros=sum(m.planned_micros for m in moves),
            revenue_micros=sum(m.value_micros for m in moves),
            planned_revenue_micros=sum(m.planned_value_micros for m in moves),
            left_out=left_out,
            assumptions=list(ASSUMPTIONS),
            warnings=[f"{c.channel}: its elasticity is assumed" for c in channels if c.is_assumed],
            other_currencies=list(sums.other_currencies),
            converted_currencies=list(sums.converted_currencies),
            meta=shown,
        )
        lines = [c.model_dump(mode="json") for c in channels]
        return table(request, answer, shown, lines, _COLUMNS, f"budget-{start}-{end}-{model}")

    return router


def whole(start: date, end: date, interval: str) -> list[date]:
    """First days of the intervals that lie in the period as a whole; weeks begin on Monday."""
    days = _DAYS[interval]
    first = start + timedelta(days=-start.weekday() % 7 if days == 7 else 0)
    count = max(0, ((end - first).days + 1) // days)
    return [first + timedelta(days=days * n) for n in range(count)]


def _curves(sums: Sums, model: str, dates: list[date]) -> tuple[dict[str, Curve], dict[str, int], list[str]]:
    """Curves by channel, mean spend of an interval, and channels that have credit and no spend."""
    from datadriven.budget import curve  # noqa: PLC0415 - SciPy takes half a second, only where it is used

    credits_ = sums.credits.get(model, {})
    revenue = {key: found.revenue_micros for key, found in credits_.items()}
    paid = sorted({key.channel for key, micros in sums.spend.items() if key.day in dates and micros > 0})
    curves, spend = {}, {}
    for channel in paid:
        spent, earned = _series(sums.spend, channel, dates), _series(revenue, channel, dates)
        curves[channel] = curve(channel, spent, earned)
        spend[channel] = max(1, sum(spent) // len(dates))
    return curves, spend, sorted({key.channel for key in credits_} - set(paid))


def _series(sums: Mapping[SumKey, int], channel: str, dates: list[date]) -> list[int]:
    return [sums.get(SumKey(day, channel, ""), 0) for day in dates]


def _moves(
    curves: Mapping[str, Curve], spend: Mapping[str, int], total: int | None, most_change: float
) -> tuple[Move, ...]:
    from datadriven.budget import reallocate  # noqa: PLC0415 - as above

    if not curves:
        return ()
    return reallocate(list(curves.values()), spend, total_micros=total, most_change=most_change)


def _channel(move: Move, curve: Curve) -> BudgetChannel:
    return BudgetChannel(
        channel=move.channel,
        intervals=curve.periods,
        elasticity=round(curve.elasticity, 6),
        is_assumed=curve.is_assumed,
        r2=None if curve.r2 is None else round(curve.r2, 6),
        spend=amount(move.spend_micros),
        spend_micros=move.spend_micros,
        planned_spend=amount(move.planned_micros),
        planned_spend_micros=move.planned_micros,
        revenue=amount(move.value_micros),
        revenue_micros=move.value_micros,
        planned_revenue=amount(move.planned_value_micros),
        planned_revenue_micros=move.planned_value_micros,
        marginal_roas=round(move.marginal, 6),
        planned_marginal_roas=round(move.planned_marginal, 6),
    )
