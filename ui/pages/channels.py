"""Channels and what they returned: spend against revenue, by the day of the conversion or of the touch."""

from __future__ import annotations

from typing import Final

import streamlit as st
from plotly.graph_objects import Figure, Scatter

from attribution_client.models.analytics import CampaignReport, ChannelReturn, Return, RoiReport
from ui.asking import ask
from ui.colours import GREY, channel_colour
from ui.filters import Filters
from ui.parts import computed, freshness, notes
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import table
from ui.wording import MICROS, UNATTRIBUTED, count, money, percent, ratio

_CALL: Final = "GET /api/v1/analytics/roi"
_BASES: Final = {"Day of the conversion": "conversion_day", "Day of the touch": "touch_day"}
_CAMPAIGNS: Final = 200


def show(asked: Filters) -> None:
    """Draw the page."""
    chosen = st.segmented_control(
        "Credit counts on the",
        list(_BASES),
        default=next(iter(_BASES)),
        required=True,
        key="basis",
        bind="query-params",
        help="By the day of the conversion: what was earned in the period. By the day of the touch: what the spend "
        "of the period has brought so far, which still grows for recent days.",
    )
    basis = _BASES[chosen]
    report: RoiReport = ask("roi", **asked.report())
    freshness.badge(report.meta)
    if not report.totals.spend_micros and not _of(report.totals, basis).conversions:
        nothing(f"No spend and no conversion in {asked.span}.", "attribution simulate --live")
        return
    notes.of_report(report)
    _best(report, basis)
    st.subheader("Spend and return", anchor=False)
    _scatter(report, basis)
    st.subheader("Both ways of counting", anchor=False)
    _table(report)
    st.subheader("Campaigns", anchor=False)
    _campaigns(asked, basis)
    computed.how(
        "**ROAS** = revenue / spend and **ROI** = (revenue - spend) / spend of the sums, never a mean of ratios; "
        "without a value where nothing was spent. Spend is converted at the rate of its day, a credit at that of "
        "its conversion.",
        _CALL,
        asked.report(),
        "channels",
    )


def _of(row: ChannelReturn, basis: str) -> Return:
    return row.touch_day if basis == "touch_day" else row.conversion_day


def _best(report: RoiReport, basis: str) -> None:
    ranked = sorted(
        (row for row in report.channels if _of(row, basis).roas is not None),
        key=lambda row: _of(row, basis).roas or 0,
        reverse=True,
    )
    if not ranked:
        st.info(
            "No channel has spend in this period, so there is no return on it. Spend is an event: docs/spend-and-fx.md."
        )
        return
    first, last = ranked[0], ranked[-1]
    words = f"**{first.channel}** returned most per unit of spend: ROAS {ratio(_of(first, basis).roas)}"
    if last is not first:
        words += f"; **{last.channel}** least: {ratio(_of(last, basis).roas)}"
    losing = [row.channel for row in ranked if (_of(row, basis).roas or 0) < 1]
    lost = f" Below break-even: {', '.join(losing)}." if losing else ""
    st.markdown(f":material/trophy: {words}.{lost}")


def _scatter(report: RoiReport, basis: str) -> None:
    rows = [row for row in report.channels if row.spend_micros > 0 and row.channel != UNATTRIBUTED]
    if not rows:
        return
    currency = report.meta.currency
    most = max(max(row.spend_micros, _of(row, basis).revenue_micros) for row in rows) / MICROS
    least = min(row.spend_micros for row in rows) / MICROS
    largest = max(_of(row, basis).conversions for row in rows) or 1
    figure = Figure()
    figure.add_trace(
        Scatter(
            name="Break-even",
            x=[least / 2, most * 1.5],
            y=[least / 2, most * 1.5],
            mode="lines",
            line={"dash": "dot", "color": GREY},
            hoverinfo="skip",
        )
    )
    for row in rows:
        of = _of(row, basis)
        figure.add_trace(
            Scatter(
                name=row.channel,
                x=[row.spend_micros / MICROS],
                y=[max(of.revenue_micros, 0) / MICROS],
                mode="markers+text",
                text=[row.channel],
                textposition="top center",
                marker={"color": channel_colour(row.channel), "size": 12 + 28 * (of.conversions / largest) ** 0.5},
                hovertemplate=f"{row.channel}<br>spend {money(row.spend_micros, currency)}<br>"
                f"revenue {money(of.revenue_micros, currency)}<br>ROAS {ratio(of.roas)}<extra></extra>",
                showlegend=False,
            )
        )
    figure.update_xaxes(type="log", title=f"Spend, {currency}", range=None)
    figure.update_yaxes(type="log", title=f"Revenue, {currency}")
    chart(
        figure,
        name="spend-return",
        said="Each channel by spend (across) and attributed revenue (up), both on logarithmic scales; the size is "
        "the number of conversions. Above the dotted line more came back than was spent.",
        height=460,
    )


def _table(report: RoiReport) -> None:
    rows = []
    for row in report.channels:
        by_conversion, by_touch = row.conversion_day, row.touch_day
        rows.append(
            {
                "Channel": row.channel,
                "Spend": money(row.spend_micros),
                "Revenue, conversion day": money(by_conversion.revenue_micros),
                "ROAS": ratio(by_conversion.roas),
                "ROI": percent(by_conversion.roi),
                "Revenue, touch day": money(by_touch.revenue_micros),
                "ROAS, touch day": ratio(by_touch.roas),
                "ROI, touch day": percent(by_touch.roi),
                "Conversions": count(by_conversion.conversions),
                "CPA": money(None if by_conversion.cpa is None else round(by_conversion.cpa * MICROS)),
            }
        )
    table(
        rows,
        name="channels-roi",
        said=f"Return by channel, in {report.meta.currency}. The file has every amount to the micro.",
        exact=report.to_rows(decimals=True),
    )


def _campaigns(asked: Filters, basis: str) -> None:
    found: CampaignReport = ask("campaign_performance", **asked.report(), basis=basis, limit=_CAMPAIGNS)
    rows = [
        {
            "Channel": row.channel,
            "Campaign": row.campaign or "(none)",
            "Revenue": money(row.revenue_micros),
            "Conversions": count(row.conversions),
            "Spend": money(row.spend_micros),
            "ROAS": ratio(row.roas),
        }
        for row in found.campaigns
    ]
    more = f" The first {_CAMPAIGNS}; the rest is in the API." if found.next_cursor else ""
    table(
        rows,
        name="campaigns",
        said=f"Campaigns by revenue, in {found.meta.currency}.{more}",
        exact=found.to_rows(decimals=True),
    )
