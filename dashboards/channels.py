"""For those who spend: what each channel and campaign earned, cost and returned, by conversion and by touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import links
from dashboards.board import Board
from dashboards.charts import BLUE, COUNT, GREEN, MONEY, RED, SHARE, SHORT, TIMES, lines, scatter
from dashboards.tables import Override, column, grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grafana_foundation_sdk.models.dashboard import Dashboard

UID: Final = "attribution-channels"
_CHANGE: Final = ((None, RED), (0.0, GREEN))
_RETURN: Final = ((None, RED), (1.0, GREEN))
_PROFIT: Final = ((None, RED), (0.0, GREEN))


def build(roots: tuple[str, str]) -> Dashboard:
    """The dashboard; ``roots``: of the API and the web UI."""
    board = Board(
        UID,
        "Attribution · Channels & ROI",
        "Channels and campaigns under the chosen model: revenue, spend and the ratios of their sums.",
        since="now-29d/d",
        refresh="1m",
        links=roots,
    )
    board.row(11, (24, grid("channels/channel_table", "Channels (${currency}, ${model})", SHORT, _channels())))
    board.row(
        10,
        (
            10,
            scatter(
                "channels/roas_cpa",
                "Return against cost, by channel (${currency})",
                ("cpa", "CPA", SHORT),
                ("roas", "ROAS", TIMES),
                "spend",
            ),
        ),
        (
            14,
            lines(
                "channels/revenue_and_spend",
                "Revenue and spend by day (${currency})",
                SHORT,
                colors={"Revenue": "#73BF69", "Spend": "#FF9830"},
            ),
        ),
    )
    board.row(
        9,
        (
            12,
            lines(
                "channels/roas_by_cohort",
                "ROAS by conversion day and by touch day",
                TIMES,
                colors={"By conversion day": BLUE, "By touch day": "#B877D9"},
            ),
        ),
        (
            12,
            lines(
                "channels/spend_over_time",
                "Spend by day and channel (${currency})",
                SHORT,
                stacked=True,
                bars=True,
                by="channel",
            ),
        ),
    )
    board.row(13, (24, grid("channels/campaign_table", "Campaigns (${currency}, ${model})", SHORT, _campaigns())))
    return board.build()


def _channels() -> Mapping[str, Override]:
    return {
        "channel": column("Channel", links=(links.narrowed(UID, "channel", "Only this channel"),)),
        "revenue": column("Revenue", MONEY, decimals=0),
        "revenue_change": column("Change", SHARE, decimals=1, cell="color-text", steps_=_CHANGE),
        "revenue_share": column(
            "Share of revenue", SHARE, decimals=1, cell="gauge", color=BLUE, range_=(0, 1), width=220
        ),
        "conversions": column("Conversions", COUNT, decimals=1),
        "spend": column("Spend", MONEY, decimals=0),
        "roas": column("ROAS", TIMES, decimals=2, cell="color-text", steps_=_RETURN),
        "roi": column("ROI", SHARE, decimals=0, cell="color-text", steps_=_PROFIT),
        "cpa": column("CPA", MONEY, decimals=2),
        "touchpoints": column("Touches with credit", COUNT, decimals=0),
    }


def _campaigns() -> Mapping[str, Override]:
    return {
        "channel": column("Channel", width=150),
        "campaign": column("Campaign", links=(links.narrowed(UID, "campaign", "Only this campaign"),)),
        "revenue": column("Revenue", MONEY, decimals=0),
        "revenue_change": column("Change", SHARE, decimals=1, cell="color-text", steps_=_CHANGE),
        "conversions": column("Conversions", COUNT, decimals=1),
        "spend": column("Spend", MONEY, decimals=0),
        "roas": column("ROAS", TIMES, decimals=2, cell="color-text", steps_=_RETURN),
        "cpa": column("CPA", MONEY, decimals=2),
        "clicks": column("Clicks", COUNT, decimals=0),
        "cost_per_click": column("Cost per click", MONEY, decimals=2),
    }
