"""The ways to a conversion: which paths, through which channels, in how many steps and how much time."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st
from plotly.graph_objects import Bar, Figure, Sankey

from attribution_client.models.paths import AssistsReport, PathLengthReport, PathRow, TimeLagReport, TopPathsReport
from ui.asking import ask_all
from ui.colours import GREY, PALETTE, channel_colour
from ui.filters import Filters
from ui.flows import CONVERSION, LATER, OTHER, STEPS, Flow, Place, flows
from ui.parts import computed, freshness, notes
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, COUNT, RATIO, SHARE, table
from ui.wording import count, duration, percent, units

_CALL: Final = "GET /api/v1/analytics/top-paths"
_MOST: Final = 500
_BY: Final = {"Channel": "channel", "Campaign": "campaign"}
_FLOW: Final = "rgba(138, 147, 160, 0.35)"


def show(asked: Filters) -> None:
    """Draw the page."""
    own = _choices()
    top: TopPathsReport
    lengths: PathLengthReport
    lag: TimeLagReport
    assists: AssistsReport
    period = asked.conversions()
    top, lengths, lag, assists = ask_all(
        ("top_paths", period | own),
        ("path_length", period),
        ("time_lag", period),
        ("assisted_conversions", period),
    )
    freshness.badge(top.meta)
    if not top.totals.conversions:
        nothing(f"No conversion in {asked.span}.", "attribution simulate --live", "Or choose another period above.")
        return
    notes.of_report(top)
    _best(top)
    st.subheader("How channels follow each other", anchor=False)
    _sankey(top)
    st.subheader("Most frequent paths", anchor=False)
    _table(top)
    st.subheader("Number of touches", anchor=False)
    _lengths(lengths)
    st.subheader("Time to the conversion", anchor=False)
    _lag(lag)
    st.subheader("Closing and assisting", anchor=False)
    _assists(assists)
    computed.how(
        "A **path** is the eligible touches of a conversion, in order; no model plays a part. Equal steps in a row are "
        "shown as one unless you say otherwise. **Share** is of all conversions of the period, those without a touch "
        "included.",
        _CALL,
        period | own,
        "paths",
    )


def _choices() -> dict[str, Any]:
    with st.container(horizontal=True, key="own-filters"):
        by = st.segmented_control(
            "Steps are", list(_BY), default="Channel", required=True, key="by", bind="query-params"
        )
        each = st.toggle(
            "Repeats one by one",
            key="repeats",
            bind="query-params",
            help="Off: Email, Email, Direct is the path Email > Direct.",
        )
    return {"by": _BY[by], "collapse": "none" if each else "consecutive", "limit": _MOST}


def _named(row: PathRow) -> list[str]:
    return [step.channel if step.campaign is None else f"{step.channel}: {step.campaign}" for step in row.steps]


def _best(top: TopPathsReport) -> None:
    best = next((row for row in top.paths if row.steps), None)
    if best is None:
        st.info("No conversion of this period has a touch: all of them are unattributed.")
        return
    mean = f"; {top.totals.mean_touches:,.1f} touches on average" if top.totals.mean_touches is not None else ""
    st.markdown(
        f":material/trophy: The most frequent path is **{best.path}**: {best.conversions:,} of "
        f"{top.totals.conversions:,} conversions, {percent(best.share)}{mean}."
    )


def _sankey(top: TopPathsReport) -> None:
    found = flows((_named(row), row.conversions) for row in top.paths)
    if not found:
        return
    places = sorted({flow.source for flow in found} | {flow.target for flow in found})
    at = {place: index for index, place in enumerate(places)}
    figure = Figure(
        Sankey(
            arrangement="snap",
            node={
                "label": [place.name for place in places],
                "color": [_colour(place) for place in places],
                "x": [min(0.999, max(0.001, (place.step - 1) / STEPS)) for place in places],
                "y": _heights(places, found),
                "pad": 10,
                "thickness": 14,
                "customdata": [_step(place) for place in places],
                "hovertemplate": "%{label}, %{customdata}: %{value:,.0f} conversions<extra></extra>",
            },
            link={
                "source": [at[flow.source] for flow in found],
                "target": [at[flow.target] for flow in found],
                "value": [flow.conversions for flow in found],
                "color": _FLOW,
                "hovertemplate": "%{source.label} to %{target.label}: %{value:,.0f} conversions<extra></extra>",
            },
        )
    )
    held = sum(row.conversions for row in top.paths if row.steps)
    chart(
        figure,
        name="flows",
        said=f"The first {STEPS} steps of the {len(top.paths):,} most frequent paths, {held:,} conversions, from left "
        "to right. A path flows into the conversion after its last step. At most 12 places a step; the smallest are "
        "Other.",
        height=520,
    )
    with st.expander("The same as a table", icon=":material/table:"):
        table(
            [
                {
                    "From": f"{flow.source.name}, {_step(flow.source)}",
                    "To": flow.target.name
                    if flow.target.name == CONVERSION
                    else f"{flow.target.name}, {_step(flow.target)}",
                    "Conversions": flow.conversions,
                }
                for flow in found
            ],
            name="flows",
            said="Flows between the steps, the largest first.",
            columns={"Conversions": COUNT},
        )


def _step(place: Place) -> str:
    return "the end" if place.name == CONVERSION else f"step {place.step}"


def _heights(places: list[Place], found: list[Flow]) -> list[float]:
    """Where each place stands in its column, the largest at the top."""
    size = dict.fromkeys(places, 0)
    for flow in found:
        size[flow.source] += flow.conversions
    total = max(sum(n for p, n in size.items() if p.step == 1), 1)
    above: dict[int, float] = {}
    heights = {}
    for place in sorted(places, key=lambda p: (p.step, -size[p], p.name)):
        own = size[place] / total * 0.66 + 0.026
        heights[place] = min(0.98, 0.01 + above.get(place.step, 0.0) + own / 2)
        above[place.step] = above.get(place.step, 0.0) + own
    return [0.5 if place.name == CONVERSION else heights[place] for place in places]


def _colour(place: Place) -> str:
    name = place.name.partition(":")[0]
    return GREY if name in {CONVERSION, LATER, OTHER} else channel_colour(name)


def _table(top: TopPathsReport) -> None:
    more = f" The first {_MOST}; the API has the rest." if top.next_cursor else ""
    table(
        [
            {
                "Path": row.path,
                "Conversions": row.conversions,
                "Share": row.share,
                "Value": units(row.value_micros),
                "Touches": row.mean_touches,
            }
            for row in top.paths
        ],
        name="paths",
        said=f"Paths by conversions; values in {top.meta.currency}.{more}",
        columns={"Conversions": COUNT, "Share": SHARE, "Value": AMOUNT, "Touches": RATIO},
        exact=top.to_rows(decimals=True),
    )


def _lengths(report: PathLengthReport) -> None:
    names = [f"{row.touches} or more" if row.or_more else str(row.touches) for row in report.lengths]
    figure = Figure(
        Bar(
            x=names,
            y=[row.conversions for row in report.lengths],
            marker_color=PALETTE[0],
            customdata=[percent(row.share) for row in report.lengths],
            hovertemplate="%{x} touches: %{y:,} conversions, %{customdata}<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", title="Touches")
    figure.update_yaxes(title="Conversions")
    several = sum(row.conversions for row in report.lengths if row.touches > 1)
    share = percent(several / report.totals.conversions if report.totals.conversions else None)
    chart(
        figure,
        name="lengths",
        said=f"Conversions by their number of touches. {share} have more than one: there models can disagree.",
        height=300,
    )
    with st.expander("The same as a table", icon=":material/table:"):
        table(
            [
                {
                    "Touches": name,
                    "Conversions": row.conversions,
                    "Share": row.share,
                    "Up to here": row.cumulative_share,
                    "Value": units(row.value_micros),
                }
                for name, row in zip(names, report.lengths, strict=True)
            ],
            name="path-length",
            said=f"Conversions by number of touches; values in {report.meta.currency}.",
            columns={"Conversions": COUNT, "Share": SHARE, "Up to here": SHARE, "Value": AMOUNT},
            exact=report.to_rows(decimals=True),
        )


def _lag(report: TimeLagReport) -> None:
    with st.container(horizontal=True, key="tiles"):
        for label, found in (
            ("Median since the first touch", report.since_first_touch),
            ("Median since the last touch", report.since_last_touch),
        ):
            st.metric(
                label,
                duration(found.median_seconds),
                help=f"A quarter within {duration(found.p25_seconds)}, 90 % within {duration(found.p90_seconds)}.",
                border=True,
            )
    figure = Figure()
    for name, colour, of in (
        ("Since the first touch", PALETTE[0], [b.since_first_touch for b in report.buckets]),
        ("Since the last touch", PALETTE[1], [b.since_last_touch for b in report.buckets]),
    ):
        figure.add_trace(
            Bar(
                name=name,
                x=[b.bucket for b in report.buckets],
                y=[worth.conversions for worth in of],
                marker_color=colour,
                customdata=[percent(worth.cumulative_share) for worth in of],
                hovertemplate="%{x}: %{y:,} conversions, %{customdata} up to here",
            )
        )
    figure.update_layout(barmode="group")
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="Conversions")
    chart(figure, name="time-lag", said="Conversions by the time since their first and their last touch.", height=320)
    with st.expander("The same as a table", icon=":material/table:"):
        table(
            [
                {
                    "Time": b.bucket,
                    "Since the first touch": b.since_first_touch.conversions,
                    "Up to here, first": b.since_first_touch.cumulative_share,
                    "Since the last touch": b.since_last_touch.conversions,
                    "Up to here, last": b.since_last_touch.cumulative_share,
                }
                for b in report.buckets
            ],
            name="time-lag",
            said="Conversions by the time since their first and their last touch.",
            columns=dict.fromkeys(("Since the first touch", "Since the last touch"), COUNT)
            | dict.fromkeys(("Up to here, first", "Up to here, last"), SHARE),
            exact=report.to_rows(decimals=True),
        )


def _assists(report: AssistsReport) -> None:
    table(
        [
            {
                "Channel": row.channel,
                "Last touch": row.last_touch_conversions,
                "Assisted": row.assisted_conversions,
                "First touch": row.first_touch_conversions,
                "Assisted / last": row.assisted_ratio,
                "Last touch, value": units(row.last_touch_value_micros),
                "Assisted, value": units(row.assisted_value_micros),
            }
            for row in report.channels
        ],
        name="assists",
        said=f"Whole conversions by the part that a channel plays in them; values in {report.meta.currency}. "
        f"Assisted / last above 1: the channel rather assists. Without any touch: "
        f"{count(report.unattributed.conversions)}.",
        columns=dict.fromkeys(("Last touch", "Assisted", "First touch"), COUNT)
        | {"Assisted / last": RATIO, "Last touch, value": AMOUNT, "Assisted, value": AMOUNT},
        exact=report.to_rows(decimals=True),
    )
