"""``/api/v1/analytics``: what each channel returned on its spend, and a customer's journey in order."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.roles import Role, Scope
from api import cursor as cursors
from api import report
from api.access import requires
from api.analytics_responses import ChannelReport, CustomerJourney, EarnedCredit, JourneyEvent
from api.errors import invalid
from api.freshness import entity_tag, freshness, is_current
from api.parameters import Cursor, CustomerId, ModelName, model_id, model_list, problems
from api.periods import Day, period
from api.report_days import Asked
from api.responses import amount
from api.services import Injected, Services
from api.store import Basis, JourneyRow, State
from api.store import EarnedCredit as EarnedRow
from api.tables import meta_headers

_MAX_CREDITS: Final = 50_000


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])

    @router.get(
        "/channel-performance",
        operation_id="get_channel_performance",
        summary="Revenue, spend, CPA, ROAS and ROI by channel",
        response_model=ChannelReport,
        responses={
            200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": ",".join(report.CSV_COLUMNS)}}},
            304: {"description": "The numbers are those of the `If-None-Match` tag."},
            **problems(406, 422, 503, 504),
        },
    )
    @requires(Role.VIEWER)
    async def get_channel_performance(
        request: Request,
        services: Injected,
        start_date: Annotated[Day | None, Query(description="First day, UTC.")] = None,
        end_date: Annotated[Day | None, Query(description="Last day, UTC, inclusive; today.")] = None,
        attribution_model: ModelName = None,
        currency: Annotated[
            str | None,
            Query(pattern="^[A-Z]{3}$", examples=["USD"], description="Currency of the report; others are converted."),
        ] = None,
        basis: Annotated[
            Basis,
            Query(description="Credits count on the day of the conversion, or on that of the touch (cohorts)."),
        ] = "conversion_day",
        conversion_type: Annotated[
            str | None, Query(min_length=1, max_length=128, description="Only conversions of this type; all types.")
        ] = None,
    ) -> Response:
        """Sums over days with ratios of sums; the `unattributed` row is always there, by conversion day.

        Left out, the period is the 30 days up to today. Amounts in other currencies are converted at the rates of
        their own day; `other_currencies` names those left out for want of a rate. `Accept: text/csv` gives the
        channels as CSV. Every answer, 304 too, repeats `meta` in `X-Meta-…` headers.
        """
        as_csv = report.wants_csv(request.headers.get("accept"))
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        money = currency or services.settings.reporting_currency
        asked = Asked(basis, start, end, model, money, conversion_type or "", services.settings.fx_max_age_days)

        def read(state: State | None, former: report.Shown | None) -> report.Shown:
            page = services.store.channel_performance(
                start,
                end,
                model,
                money,
                asked.conversion_type,
                basis=basis,
                fx_max_age_days=asked.fx_max_age_days,
                state=state,
                former=former.page if former else None,
            )
            return report.Shown(asked, page)

        meta, shown = await services.renewed(("channel-performance", asked), read)
        media_type = "text/csv" if as_csv else "application/json"
        tag = entity_tag(media_type, shown.digest, (meta.run_id, meta.model_version))
        now_fresh = freshness(meta.by(basis), services.now(), model=model, currency=money)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept", **meta_headers(now_fresh)}
        if is_current(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        request.state.rows = len(shown.page.rows)
        if as_csv:
            name = f"channel-performance-{start}-{end}-{model}.csv"
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return Response(shown.csv, media_type="text/csv; charset=utf-8", headers=headers)
        return Response(shown.json(now_fresh), media_type=media_type, headers=headers)

    @router.get(
        "/customer-journey/{customer_id:path}",
        operation_id="get_customer_journey",
        summary="A customer's touchpoints and conversions in order",
        responses=problems(422, 503, 504),
        response_model_exclude_none=False,
    )
    @requires(Role.VIEWER, Scope.CUSTOMERS)
    async def get_customer_journey(
        request: Request,
        services: Injected,
        customer_id: CustomerId,
        models: Annotated[
            str | None,
            Query(
                max_length=500,
                description="Comma-separated model ids: show what each touchpoint earned under them.",
                examples=["linear,last_touch"],
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1_000, description="Events in this page.")] = 200,
        cursor: Cursor = None,
    ) -> CustomerJourney:
        """Events as they were received under this id, oldest first. An unknown customer has none.

        With `models`, a touchpoint carries what it earned from each conversion, and a conversion what stayed
        unattributed of it.
        """
        wanted = model_list(models)
        after = cursors.decode_event(cursor)
        meta = await services.meta()
        rows = await services.call(services.store.journey, customer_id, after, limit + 1)
        page = rows[:limit]
        request.state.rows = len(page)
        earned = await _earned(services, customer_id, wanted, page) if wanted and page else []
        return CustomerJourney(
            customer_id=customer_id,
            events=_events(page, earned if wanted else None),
            next_cursor=cursors.encode(rows[limit - 1].key) if len(rows) > limit else None,
            meta=freshness(meta, services.now()),
        )

    return router


async def _earned(
    services: Services, customer_id: str, models: tuple[str, ...], page: list[JourneyRow]
) -> list[EarnedRow]:
    first, last = page[0].occurred_at, page[-1].occurred_at
    earned = await services.call(services.store.earned, customer_id, models, first, last, _MAX_CREDITS + 1)
    if len(earned) > _MAX_CREDITS:
        raise invalid(
            "models", ",".join(models), f"gives more than {_MAX_CREDITS} credits; ask for fewer or a smaller limit"
        )
    return earned


def _events(rows: list[JourneyRow], earned: list[EarnedRow] | None) -> list[JourneyEvent]:
    by_touch: dict[str, list[EarnedCredit]] = defaultdict(list)
    by_conversion: dict[str, list[EarnedCredit]] = defaultdict(list)
    for row in earned or ():
        credit = EarnedCredit(
            model=row.model,
            conversion_id=row.conversion_id,
            weight=row.weight,
            value=amount(row.value_micros),
            value_micros=row.value_micros,
            currency=row.currency,
        )
        if row.touchpoint_id:
            by_touch[row.touchpoint_id].append(credit)
        else:
            by_conversion[row.conversion_id].append(credit)
    is_asked = earned is not None
    return [
        _touch(row, by_touch[row.event_id] if is_asked else None)
        if row.kind == "touchpoint"
        else _conversion(row, by_conversion[row.conversion_id] if is_asked else None)
        for row in rows
    ]


def _touch(row: JourneyRow, credits_: list[EarnedCredit] | None) -> JourneyEvent:
    return JourneyEvent(
        type="touchpoint",
        event_id=row.event_id,
        occurred_at=row.occurred_at,
        channel=row.channel,
        campaign=row.campaign or None,
        touch_type=row.touch_type or None,
        cost=amount(row.cost_micros),
        cost_micros=row.cost_micros,
        currency=row.currency or None,
        credits=credits_,
    )


def _conversion(row: JourneyRow, credits_: list[EarnedCredit] | None) -> JourneyEvent:
    return JourneyEvent(
        type="conversion",
        event_id=row.event_id,
        occurred_at=row.occurred_at,
        conversion_id=row.conversion_id,
        conversion_type=row.conversion_type,
        order_id=row.order_id or None,
        value=amount(row.value_micros),
        value_micros=row.value_micros,
        currency=row.currency or None,
        status=row.status,
        adjusts=row.adjusts or None,
        credits=credits_,
    )
