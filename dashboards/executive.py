"""For those who decide: how much, from where, at what cost, and whether it is more than before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import links
from dashboards.board import Board
from dashboards.charts import BLUE, COUNT, MONEY, SHARE, SHORT, TIMES, bars, kpi, lines
from dashboards.tables import column, grid

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID: Final = "attribution-executive"
_PERIODS: Final = {"This period": BLUE, "Period before": "#8F9BB3"}


def build(roots: tuple[str, str]) -> Dashboard:
    """The dashboard; ``roots``: of the API and the web UI."""
    board = Board(
        UID,
        "Attribution · Executive",
        "Revenue, spend and return of the chosen model, beside the period before. Sums of whole days in UTC.",
        since="now-29d/d",
        refresh="1m",
        links=roots,
    )
    board.row(
        4,
        (4, kpi("executive/revenue", "Revenue (${currency})", SHORT, decimals=2)),
        (4, kpi("executive/conversions", "Conversions", COUNT, decimals=0)),
        (4, kpi("executive/spend", "Spend (${currency})", SHORT, decimals=2, less_is_better=True)),
        (3, kpi("executive/roas", "ROAS", TIMES, decimals=2)),
        (3, kpi("executive/cpa", "CPA (${currency})", SHORT, decimals=2, less_is_better=True)),
        (3, kpi("executive/new_customers_share", "New customers", SHARE, decimals=1)),
        (3, kpi("executive/unattributed_share", "Unattributed", SHARE, decimals=1, less_is_better=True)),
    )
    board.row(
        9,
        (14, lines("executive/revenue_by_day", "Revenue by day (${currency})", SHORT, colors=_PERIODS)),
        (
            10,
            bars(
                "executive/revenue_by_channel",
                "Revenue by channel (${currency}, ${model})",
                SHORT,
                "channel",
                horizontal=True,
                colors=_PERIODS,
            ),
        ),
    )
    board.row(
        9,
        (
            14,
            lines(
                "executive/channels_over_time",
                "Revenue by day and channel (${currency}, ${model})",
                SHORT,
                stacked=True,
                bars=True,
                by="channel",
            ),
        ),
        (
            10,
            bars(
                "executive/share_of_revenue_and_spend",
                "Share of revenue against share of spend",
                SHARE,
                "channel",
                horizontal=True,
                colors={"Share of revenue": "#73BF69", "Share of spend": "#FF9830"},
            ),
        ),
    )
    board.row(
        9,
        (
            6,
            lines(
                "executive/new_and_returning",
                "New and returning customers",
                SHORT,
                stacked=True,
                bars=True,
                decimals=0,
                colors={"New": "#73BF69", "Returning": BLUE},
            ),
        ),
        (
            6,
            lines(
                "executive/unclear_share",
                "Direct, Unassigned, unattributed",
                SHARE,
                colors={"Direct": "#B877D9", "Unassigned": "#FF9830", "Unattributed": "#F2495C"},
            ),
        ),
        (12, _latest()),
    )
    return board.build()


def _latest() -> object:
    return grid(
        "executive/latest_conversions",
        "Latest conversions",
        SHORT,
        {
            "time": column("Time", "dateTimeAsIso", width=150),
            "conversion_id": column("Conversion", links=(links.EXPLAIN, links.EXPLAIN_JSON)),
            "type": column("Type", width=130),
            "value": column("Value", MONEY, decimals=2, width=85),
            "currency": column("", width=50),
            "touches": column("Touches", "none", width=70),
            "most_credit": column("Most credit to", width=120),
        },
    )
