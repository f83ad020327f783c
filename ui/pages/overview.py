"""Overview: what the period brought, against the one before; which channels; and what comes in now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import streamlit as st
from plotly.graph_objects import Bar, Figure

from attribution_client.models.analytics import ChannelReport, Timeseries
from ui import session
from ui.asking import ask, ask_all
from ui.colours import channel_colour
from ui.filters import Filters, today
from ui.parts import computed, freshness, notes
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, COUNT, RATIO, SHARE, table
from ui.parts.tiles import share_of_change, tile
from ui.wording import MICROS, UNATTRIBUTED, count, money, percent, ratio, short_money, units

_CALL: Final = "GET /api/v1/analytics/channel-performance"
_TICK_S: Final = 5


def show(asked: Filters) -> None:
    """Draw the page."""
    report, former, series = _asked(asked)
    freshness.badge(report.meta)
    if not report.totals.conversions and not report.totals.spend_micros:
        nothing(
            f"No conversion and no spend in {asked.span}.",
            "attribution simulate --live",
            "Events of your own: the page **Setup**, or another period above.",
        )
        return
    st.caption(f"{asked.span}, against {asked.before.span}")
    _tiles(report, former)
    notes.of_report(report)
    _now(asked)
    st.subheader("Attributed revenue over time", anchor=False)
    _over_time(series, report)
    st.subheader("Channels", anchor=False)
    _channels(report, former)
    computed.how(
        "**Revenue** of a channel is the sum of the credits that the model gives it: the value of each conversion, "
        "divided to the micro. **ROAS** = revenue / spend, **CPA** = spend / conversions, both of the sums, and "
        "without a value where the divisor is zero. The change compares with the same number of days just before.",
        _CALL,
        asked.report(),
        "channels",
    )


def _asked(asked: Filters) -> tuple[ChannelReport, ChannelReport, Timeseries]:
    report, former, series, _ = ask_all(
        ("channel_performance", asked.report()),
        ("channel_performance", asked.before.report()),
        ("timeseries", asked.report() | {"interval": _interval(asked)}),
        ("channel_performance", _of_today(asked)),  # the tick finds the answer there
    )
    return report, former, series


def _tiles(report: ChannelReport, former: ChannelReport) -> None:
    now, before, currency = report.totals, former.totals, report.meta.currency
    attributed, was_attributed = _attributed(report), _attributed(former)
    share = percent(attributed / now.revenue_micros if now.revenue_micros else None)
    with st.container(horizontal=True, key="tiles"):
        tile(
            "Attributed revenue",
            short_money(attributed, currency),
            attributed,
            was_attributed,
            said=f"{money(attributed, currency)}, {share} of all revenue; no touch leads to the rest.",
        )
        tile(
            "Conversions",
            count(now.conversions),
            now.conversions,
            before.conversions,
            said="All, less what was refunded.",
        )
        tile(
            "Spend",
            short_money(now.spend_micros, currency),
            now.spend_micros,
            before.spend_micros,
            said=f"{money(now.spend_micros, currency)}, at the rate of the day it was spent.",
            better="less",
        )
        tile("ROAS", ratio(now.roas), now.roas, before.roas, said="All revenue for one unit of spend.")
        tile(
            "CPA",
            money(None if now.cpa is None else round(now.cpa * MICROS), currency),
            None if now.cpa is None else float(now.cpa),
            None if before.cpa is None else float(before.cpa),
            said="Spend for one conversion, of all conversions.",
            better="less",
        )


def _attributed(report: ChannelReport) -> int:
    return sum(row.revenue_micros for row in report.channels if row.channel != UNATTRIBUTED)


@st.fragment(run_every=_TICK_S)
def _now(asked: Filters) -> None:
    """Today so far; runs by itself every few seconds."""
    with session.looking():
        report: ChannelReport = ask("channel_performance", **_of_today(asked))
        seen = st.session_state.setdefault("seen_today", report.totals.conversions)
        more = report.totals.conversions - seen
        news = f", {count(more)} since you opened this page" if more > 0 else ""
        st.markdown(
            f":material/bolt: **Today so far:** {count(report.totals.conversions)} conversions, "
            f"{money(report.totals.revenue_micros, report.meta.currency)}{news}."
        )


def _of_today(asked: Filters) -> dict[str, Any]:
    return replace(asked, start=today(), end=today()).report()


def _interval(asked: Filters) -> str:
    days = (asked.end - asked.start).days
    return "day" if days <= 92 else "week" if days <= 400 else "month"


def _over_time(series: Timeseries, report: ChannelReport) -> None:
    figure = Figure()
    for row in report.channels:
        points = [p for p in series.points if p.channel == row.channel]
        figure.add_trace(
            Bar(
                name=row.channel,
                x=[p.date for p in points],
                y=[units(p.revenue_micros) for p in points],
                marker_color=channel_colour(row.channel),
                hovertemplate="%{x|%d %b %Y}<br>%{y:,.2f}",
            )
        )
    figure.update_layout(barmode="stack", hovermode="closest")
    figure.update_yaxes(title=report.meta.currency)
    chart(
        figure,
        name="revenue-over-time",
        said=f"Revenue by {series.interval} and channel, in {report.meta.currency}. The table below has the sums.",
    )


def _channels(report: ChannelReport, former: ChannelReport) -> None:
    before = {row.channel: row.revenue_micros for row in former.channels}
    rows = [
        {
            "Channel": row.channel,
            "Revenue": units(row.revenue_micros),
            "Change": share_of_change(row.revenue_micros, before.get(row.channel)),
            "Conversions": row.conversions,
            "Spend": units(row.spend_micros),
            "ROAS": row.roas,
            "CPA": None if row.cpa is None else float(row.cpa),
        }
        for row in report.channels
    ]
    table(
        rows,
        name="overview-channels",
        said=f"Channels by revenue, in {report.meta.currency}.",
        columns={
            "Revenue": AMOUNT,
            "Change": SHARE,
            "Conversions": COUNT,
            "Spend": AMOUNT,
            "ROAS": RATIO,
            "CPA": AMOUNT,
        },
        exact=report.to_rows(decimals=True),
    )
