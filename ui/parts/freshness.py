"""How old the numbers on a page are."""

from __future__ import annotations

from typing import Final

import streamlit as st

from attribution_client.models.common import Meta
from ui.wording import duration, moment

_LATE_S: Final = 60.0


def sentence(meta: Meta) -> str:
    """As of when, and how old the newest event is that was read."""
    if meta.as_of is None:
        return "Nothing was computed yet"
    behind = "" if meta.lag_seconds is None else f", the newest event {duration(meta.lag_seconds)} ago"
    return f"As of {moment(meta.as_of)}{behind}"


def badge(meta: Meta) -> None:
    """The same in short, coloured when it is old; in full, with the run, behind it."""
    late = meta.as_of is None or meta.lag_seconds is None or meta.lag_seconds > _LATE_S
    built = "Nothing was computed yet" if meta.as_of is None else f"As of {meta.as_of:%H:%M:%S} UTC"
    newest = "" if meta.lag_seconds is None else f", newest event {duration(meta.lag_seconds)} ago"
    st.badge(
        f"{built}{newest}",
        icon=":material/schedule:",
        color="orange" if late else "green",
        help=f"{sentence(meta)}; run {meta.run_id}, parameters {meta.model_version or 'unknown'}. Numbers are "
        "rebuilt as events arrive; corrections change the past, too.",
    )
