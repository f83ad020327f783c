"""Where the next unit of spend brings most, and a budget that follows it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

import streamlit as st
from plotly.graph_objects import Bar, Figure, Scatter

from attribution_client.models.fits import BudgetChannel, BudgetPlan
from ui.asking import ask
from ui.colours import PALETTE, channel_colour
from ui.filters import Filters
from ui.parts import computed, freshness, notes
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, RATIO, SHARE, table
from ui.parts.tiles import share_of_change
from ui.wording import money, percent, ratio, short_money, units

_CALL: Final = "GET /api/v1/analytics/budget"
_INTERVALS: Final = {"Week": "week", "Day": "day"}
_POINTS: Final = 30


def show(asked: Filters) -> None:
    """Draw the page."""
    own = _choices()
    plan: BudgetPlan = ask("budget", **asked.report(), **own)
    freshness.badge(plan.meta)
    if not plan.channels:
        nothing(
            f"No channel has both spend and credit in {asked.span}.",
            "attribution simulate --days 60",
            "Spend is an event, too: docs/spend-and-fx.md. A longer period above may help: a curve needs whole "
            f"{plan.interval}s.",
        )
        _said(plan)
        return
    notes.of_report(plan)
    _said(plan)
    _tiles(plan)
    st.subheader("From the spend of today to the plan", anchor=False)
    _moves(plan)
    _table(plan)
    st.subheader("Response curves", anchor=False)
    _curves(plan)
    computed.how(
        "Each channel follows *revenue = scale · spend ^ elasticity*, fitted over the intervals of the period; a curve "
        "that cannot be seen takes an elasticity of 0.5. **Marginal ROAS** is the slope of the curve: what the next "
        "unit brings. The plan moves spend until the slopes are equal, each channel within the limit that you set.",
        _CALL,
        asked.report() | own,
        "budget",
    )


def _choices() -> dict[str, Any]:
    with st.container(horizontal=True, key="own-filters"):
        every = st.segmented_control(
            "Spend of a", list(_INTERVALS), default="Week", required=True, key="interval", bind="query-params"
        )
        most = st.slider(
            "A channel may change by at most, %",
            5,
            100,
            30,
            5,
            key="change",
            bind="query-params",
            width=260,
            help="Curves are known near the spends that were seen; the further away, the less is certain.",
        )
        text = st.text_input(
            "Spend in all",
            key="total",
            bind="query-params",
            placeholder="as now",
            help="Of one interval, in the currency of the report.",
            width=160,
        ).strip()
    own: dict[str, Any] = {"interval": _INTERVALS[every], "most_change": most / 100}
    if text:
        try:
            total = Decimal(text.replace(",", ""))
        except InvalidOperation:
            st.warning(f"{text!r} is no amount; the spend of today is taken. Write it like 12500.00.")
        else:
            own["total"] = str(total)
    return own


def _said(plan: BudgetPlan) -> None:
    assumed = [c.channel for c in plan.channels if c.is_assumed]
    said = [w for w in plan.warnings if w not in {f"{channel}: its elasticity is assumed" for channel in assumed}]
    if assumed:
        said.append(
            f"The curves of {', '.join(assumed)} are assumed: it takes eight {plan.interval}s in which the spend of a "
            "channel has moved by a tenth to see one. A longer period above may help"
        )
    if said:
        st.warning("\n\n".join(f"{w[:1].upper()}{w[1:]}." for w in said), icon=":material/warning:")
    if plan.left_out:
        st.caption(f"Left out, for want of spend or credit: {', '.join(plan.left_out)}.")
    with st.expander("What this takes for granted", icon=":material/balance:"):
        for assumption in plan.assumptions:
            st.markdown(f"- {assumption[:1].upper()}{assumption[1:]}.")
        st.markdown("A lift test is the check: `attribution lift`.")


def _tiles(plan: BudgetPlan) -> None:
    currency, of = plan.meta.currency, f"of one {plan.interval}"
    gain = plan.planned_revenue_micros - plan.revenue_micros
    share = share_of_change(plan.planned_revenue_micros, plan.revenue_micros)
    with st.container(horizontal=True, key="tiles"):
        st.metric(
            "Spend",
            short_money(plan.total_micros, currency),
            help=f"{money(plan.total_micros, currency)} {of}.",
            border=True,
        )
        st.metric(
            "Revenue by the curves",
            short_money(plan.revenue_micros, currency),
            help=f"{money(plan.revenue_micros, currency)} {of}, at the spend of today.",
            border=True,
        )
        st.metric(
            "Revenue of the plan",
            short_money(plan.planned_revenue_micros, currency),
            None if share is None else f"{share:+.1%}",
            help=f"{money(gain, currency)} more or less {of}, if the curves hold.",
            border=True,
        )


def _moves(plan: BudgetPlan) -> None:
    shown = sorted(plan.channels, key=lambda c: c.planned_spend_micros - c.spend_micros)
    changes = [units(c.planned_spend_micros - c.spend_micros) for c in shown]
    figure = Figure(
        Bar(
            x=changes,
            y=[c.channel for c in shown],
            orientation="h",
            marker_color=[PALETTE[2] if change >= 0 else PALETTE[5] for change in changes],
            text=[f"{change:+,.0f}" for change in changes],
            hovertemplate="%{y}: %{x:+,.2f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"Change of spend, {plan.meta.currency}")
    up, down = shown[-1], shown[0]
    words = ""
    if changes[-1] > 0 > changes[0]:
        words = (
            f" Most goes to {up.channel}, where the next unit brings {ratio(up.marginal_roas)}; most comes from "
            f"{down.channel}, where it brings {ratio(down.marginal_roas)}."
        )
    chart(
        figure,
        name="moves",
        said=f"How the spend of one {plan.interval} changes by channel.{words}",
        height=max(200, 40 * len(shown)),
    )


def _table(plan: BudgetPlan) -> None:
    table(
        [
            {
                "Channel": c.channel,
                "Spend": units(c.spend_micros),
                "Plan": units(c.planned_spend_micros),
                "Change": share_of_change(c.planned_spend_micros, c.spend_micros),
                "Next unit brings": c.marginal_roas,
                "In the plan": c.planned_marginal_roas,
                "Revenue": units(c.revenue_micros),
                "Revenue, plan": units(c.planned_revenue_micros),
                "Elasticity": c.elasticity,
                "Curve": "assumed" if c.is_assumed else f"seen in {c.intervals}, R² {ratio(c.r2)}",
            }
            for c in plan.channels
        ],
        name="budget",
        said=f"Spend and revenue of one {plan.interval}, in {plan.meta.currency}, over {plan.intervals} of them.",
        columns=dict.fromkeys(("Spend", "Plan", "Revenue", "Revenue, plan"), AMOUNT)
        | dict.fromkeys(("Next unit brings", "In the plan", "Elasticity"), RATIO)
        | {"Change": SHARE},
        exact=plan.to_rows(decimals=True),
    )


def _curves(plan: BudgetPlan) -> None:
    figure = Figure()
    for c in plan.channels:
        spends = [units(c.spend_micros) * 2 * i / _POINTS for i in range(1, _POINTS + 1)]
        colour = channel_colour(c.channel)
        figure.add_trace(
            Scatter(
                name=c.channel,
                x=spends,
                y=[_revenue(c, spend) for spend in spends],
                mode="lines",
                line={"color": colour, "dash": "dot" if c.is_assumed else "solid"},
                hovertemplate="%{x:,.0f} brings %{y:,.0f}",
            )
        )
        figure.add_trace(
            Scatter(
                x=[units(c.spend_micros), units(c.planned_spend_micros)],
                y=[units(c.revenue_micros), units(c.planned_revenue_micros)],
                mode="markers",
                marker={"color": colour, "size": 10, "symbol": ["circle", "diamond"]},
                text=["now", "plan"],
                hovertemplate=f"{c.channel}, %{{text}}: %{{x:,.0f}} brings %{{y:,.0f}}<extra></extra>",
                showlegend=False,
            )
        )
    assumed = sum(c.is_assumed for c in plan.channels)
    figure.update_xaxes(type="log", title=f"Spend of one {plan.interval}, {plan.meta.currency}")
    figure.update_yaxes(type="log", title=f"Revenue, {plan.meta.currency}")
    share = percent(assumed / len(plan.channels), 0)
    chart(
        figure,
        name="curves",
        said=f"What a channel brings by its spend, on logarithmic scales: the circle is now, the diamond "
        "the plan. Dotted curves are assumed, "
        f"not seen: {assumed} of {len(plan.channels)}, {share}.",
        height=420,
    )


def _revenue(c: BudgetChannel, spend: float) -> float:
    return units(c.revenue_micros) * float((spend / units(c.spend_micros)) ** c.elasticity)
