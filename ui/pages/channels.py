"""Channels and what they returned: spend against revenue, by the day of the conversion or of the touch."""

from __future__ import annotations

from typing import Final

import streamlit as st
from plotly.graph_objects import Figure, Scatter

from attribution_client.models.analytics import CampaignReport, ChannelReturn, Return, RoiReport
from ui.asking import ask_all
from ui.colours import GREY, channel_colour
from ui.filters import Filters
from ui.parts import computed, freshness, notes
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, COUNT, RATIO, SHARE, table
from ui.wording import UNATTRIBUTED, money, ratio, units

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
    report: RoiReport
    campaigns: CampaignReport
    report, campaigns = ask_all(
        ("roi", asked.report()),
        ("campaign_performance", asked.report() | {"basis": basis, "limit": _CAMPAIGNS}),
    )
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
    _campaigns(campaigns)
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
    most = units(max(max(row.spend_micros, _of(row, basis).revenue_micros) for row in rows))
    least = units(min(row.spend_micros for row in rows))
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
                x=[units(row.spend_micros)],
                y=[units(max(of.revenue_micros, 0))],
                mode="markers+text",
                text=[row.channel],
                textposition="top center",
                marker={"color": channel_colour(row.channel), "size": 12 + 28 * (of.conversions / largest) ** 0.5},
                hovertemplate=f"{row.channel}<br>spend {money(row.spend_micros, currency)}<br>"
                f"revenue {money(of.revenue_micros, currency)}<br>ROAS {ratio(of.roas)}<extra></extra>",
                showlegend=False,
            )
        )
    figure.update_xaxes(type="log", title=f"Spend, {currency}")
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
                "Spend": units(row.spend_micros),
                "Revenue": units(by_conversion.revenue_micros),
                "ROAS": by_conversion.roas,
                "ROI": by_conversion.roi,
                "Revenue, touch day": units(by_touch.revenue_micros),
                "ROAS, touch day": by_touch.roas,
                "ROI, touch day": by_touch.roi,
                "Conversions": by_conversion.conversions,
                "CPA": None if by_conversion.cpa is None else float(by_conversion.cpa),
            }
        )
    table(
        rows,
        name="channels-roi",
        said=f"Return by channel, in {report.meta.currency}, by the day of the conversion, and of the touch where it "
        "says so. The file has every amount to the micro.",
        columns=dict.fromkeys(("Spend", "Revenue", "Revenue, touch day", "CPA"), AMOUNT)
        | dict.fromkeys(("ROAS", "ROAS, touch day"), RATIO)
        | dict.fromkeys(("ROI", "ROI, touch day"), SHARE)
        | {"Conversions": COUNT},
        exact=report.to_rows(decimals=True),
    )


def _campaigns(found: CampaignReport) -> None:
    rows = [
        {
            "Channel": row.channel,
            "Campaign": row.campaign or "(none)",
            "Revenue": units(row.revenue_micros),
            "Conversions": row.conversions,
            "Spend": units(row.spend_micros),
            "ROAS": row.roas,
        }
        for row in found.campaigns
    ]
    more = f" The first {_CAMPAIGNS}; the rest is in the API." if found.next_cursor else ""
    table(
        rows,
        name="campaigns",
        said=f"Campaigns by revenue, in {found.meta.currency}.{more}",
        columns={"Revenue": AMOUNT, "Conversions": COUNT, "Spend": AMOUNT, "ROAS": RATIO},
        exact=found.to_rows(decimals=True),
    )
