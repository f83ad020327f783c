"""How old the numbers on a page are."""

from __future__ import annotations

from typing import Final

import streamlit as st

from attribution_client.models.common import Meta
from ui.wording import duration, moment

_LATE_S: Final = 60.0


def sentence(meta: Meta) -> str:
    """As of when, and how far the workers are behind."""
    if meta.as_of is None:
        return "Nothing was computed yet"
    behind = "" if meta.lag_seconds is None else f", {duration(meta.lag_seconds)} behind the newest event"
    return f"As of {moment(meta.as_of)}{behind}"


def badge(meta: Meta) -> None:
    """The sentence, coloured when it is old, with the run that the numbers are of."""
    late = meta.as_of is None or meta.lag_seconds is None or meta.lag_seconds > _LATE_S
    st.badge(
        f"{sentence(meta)} · run {meta.run_id}",
        icon=":material/schedule:",
        color="orange" if late else "green",
        help="Numbers are rebuilt as events arrive; corrections change the past, too.",
    )
