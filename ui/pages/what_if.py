"""What if: everything computed anew with other parameters, and how that differs from what is shown."""

from __future__ import annotations

from typing import Any, Final, Literal

import streamlit as st
from plotly.graph_objects import Bar, Figure

from attribution_client.models.analytics import ChannelReport
from attribution_client.models.runs import RunDifference, RunEntry, RunReport
from ui import asking, session
from ui.asking import ask, ask_steady
from ui.colours import GREY, PALETTE
from ui.filters import Filters
from ui.parts import computed, freshness
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.failures import in_words
from ui.parts.tables import AMOUNT, COUNT, SHARE, table
from ui.parts.tiles import share_of_change
from ui.run_words import config_in_words, days_of, own_name
from ui.wording import UNATTRIBUTED, count, model_name, moment, money, percent, units

_CALL: Final = "GET /api/v1/runs/difference"
_SOURCES: Final[dict[str, Literal["facts", "topics"]]] = {"Stored events": "facts", "Kafka topics": "topics"}
_TICK_S: Final = 1.0


def show(asked: Filters) -> None:
    """Draw the page."""
    found: RunReport = ask("runs")
    active = next((run for run in found.runs if run.is_active), None)
    freshness.badge(found.meta)
    if active is None:
        nothing("No run is shown.", "attribution migrate")
        return
    st.markdown(f"Shown now: **{active.name}**, {config_in_words(active)}.")
    working = next((run for run in found.runs if run.status == "running"), None)
    if working is not None:
        st.fragment(_progress, run_every=_TICK_S)(working.name)
    else:
        _form(active, asked)
    done = [run for run in reversed(found.runs) if run.status == "complete" and not run.is_active]
    stopped = [run for run in found.runs if run.status in {"failed", "cancelled"}]
    for run in stopped:
        st.warning(f"{run.name} is {run.status}: {run.detail}", icon=":material/pause_circle:")
    st.subheader("The difference", anchor=False)
    if not done:
        nothing(
            "Nothing to compare yet: no other run is complete.",
            "attribution replay --as half-life-14 --half-life-days 14",
        )
        return
    _compare(asked, active, done)


def _may(scope: str) -> bool:
    return scope in session.signed_in().scopes


def _form(active: RunEntry, asked: Filters) -> None:
    st.subheader("Compute another", anchor=False)
    if not _may("runs"):
        st.info("Your role sees what-ifs, but does not start any: ask for the role analyst.")
        return
    usual = days_of(active)
    with st.container(horizontal=True, key="what-if"):
        half_life = st.number_input(
            "Half-life, days",
            0.1,
            3650.0,
            usual["half_life_us"],
            1.0,
            key="half_life",
            format="%g",
            help="Of the model time decay: after so many days a touch counts half.",
            width=150,
        )
        lookback = st.number_input(
            "Lookback, days",
            0.1,
            3650.0,
            usual["lookback_us"],
            1.0,
            key="lookback",
            format="%g",
            help="Touches that are older do not count.",
            width=150,
        )
        excluded = st.multiselect(
            "Channels that get nothing",
            _channels(asked),
            default=list(active.config.get("exclude_channels", ())),
            key="excluded",
            accept_new_options=True,
            width=320,
        )
        source = st.segmented_control(
            "Computed from the",
            list(_SOURCES),
            default="Stored events",
            required=True,
            key="source",
            help="Stored events: fast, and as it is now. Kafka topics: slower, and workers can keep it up to date "
            "once it is shown.",
        )
    changed: dict[str, Any] = {}
    if abs(half_life - usual["half_life_us"]) > 1e-9:
        changed["half_life_days"] = half_life
    if abs(lookback - usual["lookback_us"]) > 1e-9:
        changed["lookback_days"] = lookback
    if {c.casefold() for c in excluded} != {c.casefold() for c in active.config.get("exclude_channels", ())}:
        changed["exclude_channels"] = tuple(excluded)
    name = st.text_input("Name", placeholder=own_name(changed), key="run_name", max_chars=64, width=320).strip()
    begin = st.button(
        "Compute",
        icon=":material/play_arrow:",
        disabled=not changed,
        help=None if changed else "Change something first.",
    )
    if begin:
        with in_words():
            session.client().begin_run(name or own_name(changed), source=_SOURCES[source], **changed)
            asking.forget()
            st.session_state["computed"] = name or own_name(changed)
            st.rerun()


def _channels(asked: Filters) -> list[str]:
    report: ChannelReport = ask_steady("channel_performance", **asked.period())
    return sorted(row.channel for row in report.channels if row.channel != UNATTRIBUTED)


def _progress(name: str) -> None:
    """How far it is; runs by itself, and the whole page once it is there."""
    with session.looking():
        run = session.client().run_entry(name)
        if run.status != "running":
            asking.forget()
            st.rerun()
        share = min(run.done / run.total, 1.0) if run.total else 0.0
        unit = "records" if run.source == "topics" else "facts"
        st.progress(share, f"Computing {run.name} from the {run.source}: {run.done:,} of {run.total:,} {unit}")
        if _may("runs") and st.button("Stop", icon=":material/stop:", help="The same again goes on where it stopped."):
            session.client().cancel_run(name)
            asking.forget()
            st.rerun()


def _compare(asked: Filters, active: RunEntry, done: list[RunEntry]) -> None:
    names = [run.name for run in done]
    fresh = st.session_state.pop("computed", None)
    if fresh in names:
        st.session_state["run"] = fresh
    chosen = st.selectbox("Run", names, key="run", bind="query-params", width=320)
    run = next(r for r in done if r.name == chosen)
    st.markdown(
        f"**{run.name}**: {config_in_words(run, than=active)}; from the {run.source}, complete since "
        f"{moment(run.finished_at)}."
    )
    wanted = asked.period() | {"attribution_model": asked.model}
    found: RunDifference = ask("run_difference", active.name, run.name, **wanted)
    if found.pending_days_b:
        st.fragment(_wait, run_every=_TICK_S)(active.name, run.name, wanted)
    currencies = sorted({row.currency for row in found.channels}, key=lambda c: -_sum(found, c))
    if not currencies:
        nothing(f"Neither run has a credit of {model_name(asked.model)} in {asked.span}.", "attribution runs list")
    else:
        currency = currencies[0]
        if len(currencies) > 1:
            currency = st.segmented_control(
                "Amounts in", currencies, default=currencies[0], required=True, key="in", bind="query-params"
            )
        _difference(found, active, run, currency)
    _decide(active, run)
    computed.how(
        "Both runs are the same events under different parameters, summed by day. **Moved** is the part of the revenue "
        "that the two give to different channels: half the sum of the differences of the shares.",
        _CALL,
        {"run": active.name, "with": run.name} | wanted,
        "what_if",
    )


def _sum(found: RunDifference, currency: str) -> int:
    return sum(row.value_a for row in found.channels if row.currency == currency)


def _wait(a: str, b: str, wanted: dict[str, Any]) -> None:
    with session.looking():
        left = session.client().run_difference(a, b, **wanted).pending_days_b
        if not left:
            asking.forget()
            st.rerun()
        st.info(f"The daily sums of {b} are being built: {left} days are missing.", icon=":material/hourglass_top:")


def _difference(found: RunDifference, active: RunEntry, run: RunEntry, currency: str) -> None:
    rows = [row for row in found.channels if row.currency == currency]
    total_a, total_b = sum(r.value_a for r in rows), sum(r.value_b for r in rows)
    moved = sum(abs(r.value_a / total_a - r.value_b / total_b) for r in rows) / 2 if total_a and total_b else None
    if moved == 0:
        st.info(f"Nothing moves under {model_name(found.model)}: the two give every channel the same.")
    up = max(rows, key=lambda r: r.value_b - r.value_a)
    down = min(rows, key=lambda r: r.value_b - r.value_a)
    with st.container(horizontal=True, key="tiles"):
        st.metric(
            "Moved",
            percent(moved),
            help="The part of the revenue that the two give to different channels.",
            border=True,
        )
        most = "Gains most" if up.value_b > up.value_a else "Loses least"
        least = "Loses most" if down.value_b < down.value_a else "Gains least"
        for words, row in ((most, up), (least, down)):
            if row.value_a == row.value_b:
                continue
            share = share_of_change(row.value_b, row.value_a)
            st.metric(
                f"{words}: {row.channel}",
                money(row.value_b - row.value_a, currency),
                None if share is None else f"{share:+.1%}",
                border=True,
            )
    if total_a != total_b:
        st.caption(
            f"{active.name} holds {money(total_a, currency)} in all, {run.name} {money(total_b, currency)}: a run is "
            f"as of {moment(run.created_at)}, and {active.name} goes on."
        )
    _bars(rows, active, run, currency)
    table(
        [
            {
                "Channel": r.channel,
                active.name: units(r.value_a),
                run.name: units(r.value_b),
                "Difference": units(r.value_b - r.value_a),
                "Change": share_of_change(r.value_b, r.value_a),
                f"Conversions, {active.name}": r.conversions_a,
                f"Conversions, {run.name}": r.conversions_b,
            }
            for r in rows
        ],
        name="difference",
        said=f"Revenue by channel under {model_name(found.model)}, in {currency}, "
        f"{found.start_date} to {found.end_date}.",
        columns=dict.fromkeys((active.name, run.name, "Difference"), AMOUNT)
        | {"Change": SHARE}
        | dict.fromkeys((f"Conversions, {active.name}", f"Conversions, {run.name}"), COUNT),
        exact=found.to_rows(),
    )


def _bars(rows: list[Any], active: RunEntry, run: RunEntry, currency: str) -> None:
    shown = sorted(rows, key=lambda r: max(r.value_a, r.value_b))
    figure = Figure()
    for name, colour, values in (
        (run.name, PALETTE[1], [units(r.value_b) for r in shown]),
        (active.name, GREY, [units(r.value_a) for r in shown]),
    ):
        figure.add_trace(
            Bar(
                name=name,
                y=[r.channel for r in shown],
                x=values,
                orientation="h",
                marker_color=colour,
                hovertemplate="%{y}: %{x:,.2f}",
            )
        )
    figure.update_layout(barmode="group", legend={"traceorder": "reversed"})
    figure.update_xaxes(title=f"Revenue, {currency}")
    chart(
        figure,
        name="difference",
        said=f"Revenue of each channel in {active.name} and in {run.name}.",
        height=max(260, 46 * len(shown)),
    )


def _decide(active: RunEntry, run: RunEntry) -> None:
    if not _may("manage"):
        st.caption("An administrator can show this run to everybody, or remove it.")
        return
    with st.container(horizontal=True):
        with st.popover("Show this run to everybody", icon=":material/publish:"):
            st.markdown(
                f"Reports, dashboards and SQL then show **{run.name}** instead of **{active.name}**, from the next "
                "query on. Going back is the same with the other name."
            )
            if not run.is_fed:
                st.warning("No worker can add to it: it stays as it is, and new conversions are not in it.")
            if st.button("Show it" if run.is_fed else "Show it, frozen", key="promote"):
                with in_words():
                    session.client().promote(run.name, expected_active=active.run_id, frozen=not run.is_fed)
                    asking.forget()
                    st.rerun()
        with st.popover("Remove", icon=":material/delete:"):
            st.markdown(f"All rows of **{run.name}** go, {count(run.done)} {run.source} would have to be read again.")
            if st.button("Remove it", key="drop"):
                with in_words():
                    session.client().drop_run(run.name)
                    asking.forget()
                    st.rerun()
