"""Models side by side: what each gives a channel, where they disagree, and how sure the data-driven one is."""

from __future__ import annotations

from typing import Final

import streamlit as st
from plotly.graph_objects import Bar, Figure, Heatmap, Scatter

from attribution_client.models.attribution import ModelComparison
from attribution_client.models.fits import FitReport, FitReports
from ui.asking import ask_all, ask_steady
from ui.colours import channel_colour, model_colour
from ui.filters import Filters, models_of_run
from ui.parts import computed, freshness, notes
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, SHARE, table
from ui.wording import model_name, moment, money, percent, units

_CALL: Final = "GET /api/v1/attribution/compare"
_USUAL: Final = ("first_touch", "last_touch", "linear", "time_decay", "data_driven")


def show(asked: Filters) -> None:
    """Draw the page."""
    there = models_of_run()
    chosen = st.multiselect(
        "Models",
        there,
        default=[name for name in _USUAL if name in there] or there[:3],
        format_func=model_name,
        key="models",
        bind="query-params",
    )
    if len(chosen) < 2:
        st.info("Choose two models or more.")
        return
    found = asked.conversions() | {"models": tuple(chosen)}
    report: ModelComparison
    fits: FitReports
    report, fits = ask_all(("compare", found), ("data_driven", {"limit": 5}))
    freshness.badge(report.meta)
    if not any(share.conversions for row in report.channels for share in row.models):
        nothing(f"No conversion in {asked.span}.", "attribution simulate --live")
        return
    notes.of_report(report)
    _disagreement(report)
    _bars(report, there)
    _spread(report)
    st.subheader("How far two models are apart", anchor=False)
    _distances(report, chosen)
    st.subheader("How sure the data-driven model is", anchor=False)
    _fit(fits)
    _formulas(chosen)
    computed.how(
        "A **share** is a channel's part of all revenue under a model; the **spread** is the largest minus the "
        "smallest. The **distance** of two models is the part of the revenue that they give to different channels: "
        "half the sum of the differences of the shares. The **disagreement** is the mean distance of all pairs.",
        _CALL,
        found,
        "models",
    )


def _disagreement(report: ModelComparison) -> None:
    widest = report.channels[0]
    with st.container(horizontal=True, key="tiles"):
        st.metric(
            "Disagreement",
            percent(report.disagreement_index),
            help="The part of all revenue that two models give to different channels, on average over the pairs.",
            border=True,
        )
        st.metric(
            f"Widest spread: {widest.channel}",
            money(widest.spread_micros, report.meta.currency),
            help="Between the model that gives it most and the one that gives it least.",
            border=True,
        )


def _bars(report: ModelComparison, order: list[str]) -> None:
    figure = Figure()
    for model in (share.model for share in report.channels[0].models):
        shares = [next(s for s in row.models if s.model == model) for row in report.channels]
        figure.add_trace(
            Bar(
                name=model_name(model),
                x=[row.channel for row in report.channels],
                y=[units(share.revenue_micros) for share in shares],
                marker_color=model_colour(order.index(model)),
                hovertemplate="%{x}<br>%{y:,.2f}",
            )
        )
    figure.update_layout(barmode="group")
    figure.update_yaxes(title=f"Revenue, {report.meta.currency}")
    chart(
        figure,
        name="models",
        said="Revenue of each channel under each model; the channels that the models disagree on most come first.",
        height=420,
    )


def _spread(report: ModelComparison) -> None:
    rows = [
        {
            "Channel": row.channel,
            **{model_name(share.model): share.share for share in row.models},
            "Spread": units(row.spread_micros),
            "Spread of shares": row.spread_share,
        }
        for row in report.channels
    ]
    table(
        rows,
        name="models",
        said=f"Share of the revenue by model, widest spread first; the spread is in {report.meta.currency}.",
        columns={model_name(share.model): SHARE for share in report.channels[0].models}
        | {"Spread": AMOUNT, "Spread of shares": SHARE},
        exact=report.to_rows(decimals=True),
    )


def _distances(report: ModelComparison, chosen: list[str]) -> None:
    known = {(d.a, d.b): d.distance for d in report.distances} | {(d.b, d.a): d.distance for d in report.distances}
    names = [model_name(model) for model in chosen]
    values = [[0.0 if a == b else known.get((a, b)) for b in chosen] for a in chosen]
    figure = Figure(
        Heatmap(
            x=names,
            y=names,
            z=values,
            text=[[percent(v) for v in row] for row in values],
            texttemplate="%{text}",
            colorscale="Cividis",
            reversescale=True,
            zmin=0,
            hovertemplate="%{y} and %{x}: %{text}<extra></extra>",
            colorbar={"tickformat": ".0%"},
        )
    )
    figure.update_yaxes(autorange="reversed")
    far = max((d for d in report.distances if d.distance is not None), key=lambda d: d.distance or 0, default=None)
    words = "" if far is None else f" Farthest: {model_name(far.a)} and {model_name(far.b)}, {percent(far.distance)}."
    chart(
        figure,
        name="distances",
        said=f"Part of the revenue that two models give to different channels.{words}",
        height=320,
    )


def _fit(reports: FitReports) -> None:
    fit = next((f for f in reports.fits if f.is_in_force), reports.fits[0] if reports.fits else None)
    if fit is None:
        nothing(
            "The data-driven model was not fitted yet.",
            "attribution train",
            "It counts for new conversions while `data_driven` is in `ATTRIBUTION_DEFAULT_MODELS` of the workers.",
        )
        return
    st.caption(
        f"{fit.method}, fit {fit.version}, in force from {moment(fit.effective_from)}, "
        f"of {fit.conversions:,} conversions and {fit.nulls:,} journeys without one, {moment(fit.trained_from)} to "
        f"{moment(fit.trained_to)}."
    )
    if fit.reason:
        st.warning(f"{fit.reason} The model {model_name(fit.fallback)} stands in.")
    for warning in fit.warnings:
        st.warning(warning)
    if fit.channels:
        _intervals(fit)


def _intervals(fit: FitReport) -> None:
    shown = sorted(fit.channels, key=lambda c: c.share)
    figure = Figure(
        Scatter(
            x=[c.share for c in shown],
            y=[c.channel for c in shown],
            mode="markers",
            marker={"size": 11, "color": [channel_colour(c.channel) for c in shown]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [(c.high or c.share) - c.share for c in shown],
                "arrayminus": [c.share - (c.low if c.low is not None else c.share) for c in shown],
                "thickness": 2,
            },
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_xaxes(tickformat=".0%", title="Share of the effect")
    level = f"; the bars are intervals of {fit.interval_level:.0%} from a bootstrap" if fit.interval_level else ""
    chart(
        figure, name="intervals", said=f"Share of the effect by channel{level}. Bars that overlap are not told apart."
    )
    table(
        [
            {
                "Channel": c.channel,
                "Share": c.share,
                "From": c.low,
                "To": c.high,
                "Rank is stable": c.rank_stability,
                "Not told apart from": ", ".join(c.overlaps),
            }
            for c in reversed(shown)
        ],
        name="data-driven",
        said="The shares with their intervals.",
        columns=dict.fromkeys(("Share", "From", "To", "Rank is stable"), SHARE),
    )


def _formulas(chosen: list[str]) -> None:
    with st.expander("What the models do", icon=":material/function:"):
        for model in ask_steady("models").models:
            if model.id in chosen:
                st.markdown(f"**{model_name(model.id)}**: {model.description}")
                st.code(model.formula, language=None, wrap_lines=True)
