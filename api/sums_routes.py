"""Reports over daily sums: campaigns, return by both bases, time series, and models side by side."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.roles import Role
from api import cursor as cursors
from api import report, sums_report
from api.access import requires
from api.analytics_responses import Performance
from api.analytics_store import SumsAsked
from api.errors import invalid
from api.freshness import freshness
from api.parameters import Cursor, ModelName, model_id, model_list, problems
from api.periods import ConversionType, Currency, End, Start, period
from api.services import Injected
from api.store import Basis
from api.sums_responses import CampaignReport, ModelComparison, RoiReport, Timeseries
from api.tables import table, table_responses

_SUM_COLUMNS: Final = tuple(Performance.model_fields)
_CAMPAIGN_COLUMNS: Final = ("channel", "campaign", *_SUM_COLUMNS)
_TIME_COLUMNS: Final = ("date", "channel", *_SUM_COLUMNS)
_ROI_COLUMNS: Final = (
    "channel",
    "spend",
    "spend_micros",
    *(
        f"{basis}_{name}"
        for basis in ("conversion_day", "touch_day")
        for name in ("conversions", "revenue", "revenue_micros", "cpa", "roas", "roi")
    ),
)
_COMPARE_COLUMNS: Final = ("channel", "model", "conversions", "revenue", "revenue_micros", "share")
_MAX_POINTS: Final = 50_000

BasisOf = Annotated[
    Basis, Query(description="Credits count on the day of the conversion, or on that of the touch (cohorts).")
]


def build_router() -> APIRouter:
    """The routes of these reports."""
    router = APIRouter(prefix="/api/v1")
    _add_campaigns(router)
    _add_roi(router)
    _add_timeseries(router)
    _add_compare(router)
    return router


def _add_campaigns(router: APIRouter) -> None:
    @router.get(
        "/analytics/campaign-performance",
        tags=["analytics"],
        operation_id="get_campaign_performance",
        summary="Revenue, spend, CPA, ROAS and ROI by channel and campaign",
        response_model=CampaignReport,
        responses={**table_responses(_CAMPAIGN_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_campaign_performance(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        attribution_model: ModelName = None,
        currency: Currency = None,
        basis: BasisOf = "conversion_day",
        conversion_type: ConversionType = None,
        limit: Annotated[int, Query(ge=1, le=5_000, description="Campaigns in this page.")] = 500,
        cursor: Cursor = None,
    ) -> Response:
        """Most revenue first; campaigns of one channel add up to its row in `channel-performance`.

        `totals` are of the whole report. A page behind a cursor is of the report as it is now.
        """
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        money = currency or services.settings.reporting_currency
        after = cursors.decode_position(cursor, "campaign", int, int, str, str)
        asked = SumsAsked(
            start, end, (model,), money, conversion_type or "", basis, "", True, services.settings.fx_max_age_days
        )
        meta, sums = await services.report(services.store.sums, asked)
        rows = sums_report.campaigns(sums, model)
        behind = rows if after is None else [r for r in rows if sums_report.position(r) > after]
        page, shown = behind[:limit], freshness(meta.by(basis), services.now(), model=model, currency=money)
        answer = CampaignReport(
            start_date=start,
            end_date=end,
            basis=basis,
            campaigns=page,
            totals=report.totals(rows),
            next_cursor=(
                cursors.encode_position("campaign", sums_report.position(page[-1])) if len(behind) > limit else None
            ),
            other_currencies=list(sums.other_currencies),
            converted_currencies=list(sums.converted_currencies),
            meta=shown,
        )
        lines = [row.model_dump(mode="json") for row in page]
        return table(request, answer, shown, lines, _CAMPAIGN_COLUMNS, f"campaign-performance-{start}-{end}-{model}")


def _add_roi(router: APIRouter) -> None:
    @router.get(
        "/analytics/roi",
        tags=["analytics"],
        operation_id="get_roi",
        summary="Return on spend by conversion day and by touch day",
        response_model=RoiReport,
        responses={**table_responses(_ROI_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_roi(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        attribution_model: ModelName = None,
        currency: Currency = None,
        conversion_type: ConversionType = None,
    ) -> Response:
        """What a channel cost in the period, and what came back for it, twice.

        `conversion_day`: credits of conversions in the period. `touch_day`: credits of touches in the period, whenever
        they converted, which still grow while their lookback window is open. The numbers are those of
        `channel-performance`; `meta.as_of` is the older of the two.
        """
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        money = currency or services.settings.reporting_currency
        read, age = services.store.channel_performance, services.settings.fx_max_age_days
        kind = conversion_type or ""
        bases: tuple[Basis, Basis] = ("conversion_day", "touch_day")
        (meta, first), (_, second) = [
            await services.report(read, start, end, model, money, kind, basis=basis, fx_max_age_days=age)
            for basis in bases
        ]
        older = min((meta.by(b) for b in bases), key=lambda m: (m.as_of is not None, m.as_of))
        shown = freshness(older, services.now(), model=model, currency=money)
        channels = sums_report.returns(first.rows, second.rows)
        answer = RoiReport(
            start_date=start,
            end_date=end,
            channels=channels,
            totals=sums_report.returned("total", first.rows, second.rows),
            spend_behind=report.spend_behind(first.rows, end),
            other_currencies=sorted({*first.other_currencies, *second.other_currencies}),
            converted_currencies=sorted({*first.converted_currencies, *second.converted_currencies}),
            meta=shown,
        )
        lines = []
        for row in channels:
            plain = row.model_dump(mode="json")
            both = {f"{basis}_{name}": value for basis in bases for name, value in plain[basis].items()}
            lines.append(plain | both)
        return table(request, answer, shown, lines, _ROI_COLUMNS, f"roi-{start}-{end}-{model}")


def _add_timeseries(router: APIRouter) -> None:
    @router.get(
        "/analytics/timeseries",
        tags=["analytics"],
        operation_id="get_timeseries",
        summary="Revenue, spend and their ratios by day, week or month",
        response_model=Timeseries,
        responses={**table_responses(_TIME_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_timeseries(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        attribution_model: ModelName = None,
        currency: Currency = None,
        basis: BasisOf = "conversion_day",
        conversion_type: ConversionType = None,
        interval: Annotated[
            Literal["day", "week", "month"], Query(description="UTC; weeks begin on Monday, and name their Monday.")
        ] = "day",
        group_by: Annotated[
            Literal["channel", "total"], Query(description="A point per channel, or one for all of them (`total`).")
        ] = "channel",
    ) -> Response:
        """By date, then by channel. The first and the last interval hold only days of the period."""
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        money = currency or services.settings.reporting_currency
        asked = SumsAsked(
            start,
            end,
            (model,),
            money,
            conversion_type or "",
            basis,
            interval,
            False,
            services.settings.fx_max_age_days,
        )
        meta, sums = await services.report(services.store.sums, asked)
        points = sums_report.timeseries(sums, model, by_channel=group_by == "channel")
        if len(points) > _MAX_POINTS:
            raise invalid("interval", interval, f"gives more than {_MAX_POINTS} points; ask for fewer days or week")
        shown = freshness(meta.by(basis), services.now(), model=model, currency=money)
        answer = Timeseries(
            start_date=start,
            end_date=end,
            interval=interval,
            basis=basis,
            points=points,
            other_currencies=list(sums.other_currencies),
            converted_currencies=list(sums.converted_currencies),
            meta=shown,
        )
        lines = [p.model_dump(mode="json") for p in points]
        return table(request, answer, shown, lines, _TIME_COLUMNS, f"timeseries-{start}-{end}-{model}")


def _add_compare(router: APIRouter) -> None:
    @router.get(
        "/attribution/compare",
        tags=["attribution"],
        operation_id="get_model_comparison",
        summary="Models side by side: shares by channel, spread, disagreement",
        response_model=ModelComparison,
        responses={**table_responses(_COMPARE_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_model_comparison(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        models: Annotated[
            str | None,
            Query(
                max_length=500,
                description="Comma-separated model ids; the default models.",
                examples=["first_touch,linear,last_touch"],
            ),
        ] = None,
        currency: Currency = None,
        basis: BasisOf = "conversion_day",
        conversion_type: ConversionType = None,
    ) -> Response:
        """What each channel gets under each model, the widest spread first; the `unattributed` row is always there.

        The sums of a model are those of `channel-performance`. A model that the run does not compute has zeros and
        no shares.
        """
        start, end = period(start_date, end_date, services.now().date())
        wanted = model_list(models) or services.settings.default_models
        money = currency or services.settings.reporting_currency
        asked = SumsAsked(
            start, end, wanted, money, conversion_type or "", basis, "", False, services.settings.fx_max_age_days
        )
        meta, sums = await services.report(services.store.sums, asked)
        channels = sums_report.compared(sums, wanted)
        apart = sums_report.distances(channels, wanted)
        shown = freshness(meta.by(basis), services.now(), currency=money)
        answer = ModelComparison(
            start_date=start,
            end_date=end,
            channels=channels,
            distances=apart,
            disagreement_index=sums_report.disagreement(apart),
            other_currencies=list(sums.other_currencies),
            converted_currencies=list(sums.converted_currencies),
            meta=shown,
        )
        lines = [{"channel": c.channel, **m.model_dump(mode="json")} for c in channels for m in c.models]
        return table(request, answer, shown, lines, _COMPARE_COLUMNS, f"compare-{start}-{end}")
