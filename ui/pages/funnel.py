"""How many customers come from one step to the next, and where they are lost."""

from __future__ import annotations

from typing import Final

import streamlit as st
from plotly.graph_objects import Figure, Funnel

from attribution_client.models.analytics import ChannelReport
from attribution_client.models.paths import ConversionFunnel
from ui.asking import ask, ask_steady
from ui.colours import PALETTE
from ui.filters import TYPES, Filters
from ui.parts import computed, freshness
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import COUNT, SHARE, table
from ui.wording import UNATTRIBUTED, percent

_CALL: Final = "GET /api/v1/analytics/conversion-funnel"
_TOUCH_TYPES: Final = ("visit", "click", "impression", "email_open", "email_click", "call", "offline")
_MOST: Final = 8
_USUAL_DAYS: Final = 30
_USUAL_STEPS: Final = ("any", "conversion:purchase")


def show(asked: Filters) -> None:
    """Draw the page."""
    with st.container(horizontal=True, key="own-filters"):
        steps = st.multiselect(
            "Steps, in order",
            _known(asked),
            default=_USUAL_STEPS,
            format_func=step_name,
            key="step",
            bind="query-params",
            max_selections=_MOST,
            accept_new_options=True,
            placeholder="Any touch, then what the data have, up to the purchase",
            help="2 to 8 of: `any`, `touch:<channel>`, `touch_type:<type>`, `conversion:<type>`. Type what is not "
            "listed. None: any touch, then what the data have, up to the purchase.",
            width=560,
        )
        days = st.number_input(
            "Within days",
            1,
            400,
            _USUAL_DAYS,
            key="window_days",
            bind="query-params",
            help="The later steps may come after the period's end, at most so long behind the first step.",
            width=140,
        )
    if len(steps) == 1:
        st.info("Choose a second step; a funnel of one has no way through.")
        return
    wanted = asked.period() | {"step": tuple(steps) or None, "window_days": days}
    found: ConversionFunnel = ask("conversion_funnel", **wanted)
    freshness.badge(found.meta)
    if not found.steps or not found.steps[0].customers:
        first = step_name(found.steps[0].step) if found.steps else "Any touch"
        nothing(
            f"No customer began with {first} in {asked.span}.", "attribution simulate --live", "Or choose other steps."
        )
        return
    _words(found)
    _funnel(found)
    _table(found)
    computed.how(
        "A customer counts once, with the try that got furthest. The first step lies in the period; each later one "
        f"comes after the step before it, at most {found.window_days} days behind the first. Linked ids are one "
        "customer, and a conversion that was refunded in full is none: the API knows both, the query below "
        "does not.",
        _CALL,
        wanted,
        "funnel",
    )


def _known(asked: Filters) -> list[str]:
    report: ChannelReport = ask_steady("channel_performance", **asked.period())
    channels = sorted(row.channel for row in report.channels if row.channel != UNATTRIBUTED)
    return [
        "any",
        *(f"touch:{name}" for name in channels),
        *(f"touch_type:{name}" for name in _TOUCH_TYPES),
        *(f"conversion:{name}" for name in TYPES if name),
    ]


def step_name(step: str) -> str:
    """``touch:Email`` is Touch: Email."""
    if step == "any":
        return "Any touch"
    kind, _, name = step.partition(":")
    words = {"touch": "Touch", "touch_type": "Touch of type", "conversion": "Conversion"}
    return f"{words[kind]}: {name}" if kind in words and name else step


def _words(found: ConversionFunnel) -> None:
    first, last = found.steps[0], found.steps[-1]
    worst = max(found.steps[1:], key=lambda s: s.drop_off)
    st.markdown(
        f"Of **{first.customers:,}** customers **{last.customers:,}** get to the end, {percent(last.rate_from_first)}. "
        f"Most are lost before **{step_name(worst.step)}**: {worst.drop_off:,}."
    )


def _funnel(found: ConversionFunnel) -> None:
    figure = Figure(
        Funnel(
            y=[
                f"{s.number}. {step_name(s.step)}<br>{s.customers:,}, {percent(s.rate_from_first)}" for s in found.steps
            ],
            x=[s.customers for s in found.steps],
            textinfo="none",
            marker={"color": PALETTE[0]},
            connector={"line": {"width": 0}},
            hovertemplate="%{y} of those who began<extra></extra>",
        )
    )
    chart(
        figure,
        name="funnel",
        said="Customers by step, with their share of those who began.",
        height=max(220, 70 * len(found.steps)),
    )


def _table(found: ConversionFunnel) -> None:
    table(
        [
            {
                "Step": f"{s.number}. {step_name(s.step)}",
                "Customers": s.customers,
                "Of the step before": s.rate_from_previous,
                "Of the first": s.rate_from_first,
                "Lost before it": s.drop_off,
            }
            for s in found.steps
        ],
        name="funnel",
        said=f"Steps within {found.window_days} days.",
        columns={
            "Customers": COUNT,
            "Of the step before": SHARE,
            "Of the first": SHARE,
            "Lost before it": COUNT,
        },
        exact=found.to_rows(),
    )
