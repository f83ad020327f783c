"""Is everything well: what the service depends on, how far the workers are, and what was set aside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import streamlit as st
from plotly.graph_objects import Bar, Figure

from attribution_client import Problem
from attribution_client.models.data import DataStatus, Health
from ui import links, session
from ui.asking import ask
from ui.colours import PALETTE
from ui.filters import Filters
from ui.parts import computed, freshness
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import COUNT, table
from ui.wording import NONE, count, duration, moment

_CALL: Final = "GET /api/v1/data/status"
_TICK_S: Final = 5.0
#: Behind by more than so many records, or seconds since the last report of a worker: worth a look.
_MUCH: Final = 10_000
_SILENT_S: Final = 120.0


def show(asked: Filters) -> None:
    """Draw the page."""
    del asked
    _state()
    computed.how(
        "**Lag** is the end of a partition, from Kafka, less what the worker has committed. The **watermark** is the "
        "time of the newest event that was read; its age grows while nobody sends anything. "
        "Records a second, restores, insert times and more are in Prometheus: `GET /metrics`.",
        _CALL,
        {},
        "health",
    )


@st.fragment(run_every=_TICK_S)
def _state() -> None:
    with session.looking():
        status: DataStatus = ask("data_status")
        freshness.badge(status.meta)
        _verdict(status)
        _tiles(status)
        _dependencies()
        st.subheader("Partitions", anchor=False)
        _partitions(status)
        st.subheader("Dead letters by reason", anchor=False)
        _letters(status)


def _verdict(status: DataStatus) -> None:
    problems = []
    if status.kafka.status != "ok":
        problems.append(f"Kafka does not answer: {status.kafka.reason}. `attribution doctor` names the fix.")
    silent = _silent_s(status)
    if status.total_lag and silent is not None and silent > _SILENT_S:
        problems.append(
            f"{status.total_lag:,} records wait, and no worker has reported for {duration(silent)}: is one running? "
            "`attribution up`, or `attribution worker`; its log says why it ended."
        )
    elif status.total_lag and status.total_lag > _MUCH:
        problems.append(
            f"{status.total_lag:,} records wait: the workers catch up. More of them are faster, up to one a partition."
        )
    if problems:
        st.warning("\n\n".join(problems), icon=":material/warning:")
    elif not any(p.end_offset for p in status.partitions):
        nothing("Nothing was sent yet.", "attribution simulate --live")
        links.to("Setup", "Send your first event", icon=":material/rocket_launch:")
    elif status.total_lag:
        st.info(f"{status.total_lag:,} records are about to be read.", icon=":material/hourglass_top:")
    else:
        st.success("Everything that was sent is read.", icon=":material/check:")


def _silent_s(status: DataStatus) -> float | None:
    times = [p.updated_at for p in status.partitions if p.updated_at is not None]
    return (datetime.now(UTC) - max(times)).total_seconds() if times else None


def _tiles(status: DataStatus) -> None:
    meta = status.meta
    with st.container(horizontal=True, key="tiles"):
        st.metric("Records that wait", count(status.total_lag), help="Not read yet, over all partitions.", border=True)
        st.metric(
            "Newest event",
            NONE if meta.lag_seconds is None else f"{duration(meta.lag_seconds)} ago",
            help="By its own time; how long ago the producer says it happened.",
            border=True,
        )
        st.metric(
            "Sums built",
            NONE if meta.as_of is None else f"{duration((datetime.now(UTC) - meta.as_of).total_seconds())} ago",
            help="When the daily sums were last brought up to date. `attribution rollups` builds them.",
            border=True,
        )
        st.metric(
            "Dead letters",
            f"{sum(d.count for d in status.dead_letters):,}",
            help="Records that were refused in the last 90 days.",
            border=True,
        )


def _dependencies() -> None:
    try:
        found: Health = ask("ready")
    except Problem as problem:
        st.error(f"Not ready: {problem.detail}", icon=":material/error:")
        return
    with st.container(horizontal=True):
        for part in found.dependencies:
            is_up = part.status == "ok"
            st.badge(
                f"{part.name}: {'answers' if is_up else part.reason or 'does not answer'}",
                icon=":material/check:" if is_up else ":material/error:",
                color="green" if is_up else "red",
            )
        st.badge(f"version {found.version}", color="grey")


def _partitions(status: DataStatus) -> None:
    if not status.partitions:
        nothing("No topic exists yet.", "attribution topics create")
        return
    table(
        [
            {
                "Topic": p.topic,
                "Partition": str(p.partition),
                "Waits": p.lag,
                "Read up to": p.offset,
                "End": p.end_offset,
                "Watermark (UTC)": NONE if p.watermark is None else f"{p.watermark:%Y-%m-%d %H:%M:%S}",
                "Reported": moment(p.updated_at),
            }
            for p in status.partitions
        ],
        name="partitions",
        said="How far each partition is read.",
        columns=dict.fromkeys(("Waits", "Read up to", "End"), COUNT),
        exact=status.to_rows(),
    )


def _letters(status: DataStatus) -> None:
    if not status.dead_letters:
        st.caption("None.")
        return
    shown = sorted(status.dead_letters, key=lambda d: d.count)
    figure = Figure(
        Bar(
            x=[d.count for d in shown],
            y=[d.reason.replace("_", " ") for d in shown],
            orientation="h",
            marker_color=PALETTE[5],
            text=[f"{d.count:,}" for d in shown],
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )
    chart(
        figure,
        name="letters",
        said="Refused records by reason. The page Live shows each, and sends them again.",
        height=max(160, 30 * len(shown)),
    )
    links.to("Live", "Look at them", icon=":material/mail:")
