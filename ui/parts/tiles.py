"""A number with its change against the period before."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from ui.wording import NONE


def share_of_change(now: float | None, before: float | None) -> float | None:
    """0.25 for a rise by a quarter; None where there is nothing to compare with."""
    return None if now is None or not before else (now - before) / abs(before)


def change(now: float | None, before: float | None) -> str | None:
    """The same in words, or how many times the former value it is."""
    share = share_of_change(now, before)
    if share is None or before is None or now is None:
        return None
    return f"{share:+.1%}" if abs(share) < 10 else f"{now / before:.0f} times"


def tile(
    label: str,
    shown: str,
    now: float | None,
    before: float | None,
    *,
    said: str,
    better: Literal["more", "less"] = "more",
) -> None:
    """One figure.

    Args:
        label: what it is.
        shown: the figure in words.
        now: its value.
        before: that of the period before.
        said: what it means, behind the question mark.
        better: whether a rise is good.
    """
    moved = change(now, before)
    st.metric(
        label,
        shown,
        moved if shown != NONE else None,
        delta_color="normal" if better == "more" else "inverse",
        help=said,
        border=True,
        width="stretch",
    )
