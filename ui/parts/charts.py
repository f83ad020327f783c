"""How every chart looks and behaves."""

from __future__ import annotations

import time
from typing import Any, Final

import streamlit as st
from plotly.graph_objects import Figure

_CONFIG: Final = {"displaylogo": False, "displayModeBar": False, "responsive": True, "scrollZoom": False}
#: What a browser needs to draw tiles and words before the first chart of a visit has it load plotly.js, 4.7 MB, which
#: takes a second or two in which it draws nothing (bench/ui_times.py).
FIGURES_FIRST_S: Final = 0.4
_SEEN: Final = "a chart was shown"


def chart(figure: Figure, *, name: str, said: str, height: int = 380, **more: Any) -> Any:
    """A figure, with a sentence that says what it shows.

    Args:
        figure: without a title.
        name: the widget's key.
        said: what one sees; also for those who do not see it.
        height: pixels.
        more: further arguments of ``st.plotly_chart``.
    """
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        height=height,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hoverlabel={"namelength": -1},
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    _figures_first()
    found = st.plotly_chart(figure, width="stretch", key=f"chart-{name}", config=_CONFIG, alt=said, **more)
    st.caption(said)
    return found


def _figures_first() -> None:
    if _SEEN not in st.session_state:
        st.session_state[_SEEN] = True
        time.sleep(FIGURES_FIRST_S)
