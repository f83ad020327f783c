"""Links from one page to another, with parameters of its address."""

from __future__ import annotations

from typing import Final

import streamlit as st

_ENTRIES: Final = "menu_entries"


def remember(entries: dict[str, st.Page]) -> None:
    """The menu of this run, by path: only pages that the visitor may see."""
    st.session_state[_ENTRIES] = entries


def to(path: str, label: str, *, icon: str | None = None, **query: str) -> None:
    """A link; plain text where the visitor may not go there."""
    entry = st.session_state.get(_ENTRIES, {}).get(path)
    if entry is None:
        st.markdown(label)
    else:
        st.page_link(entry, label=label, icon=icon, query_params=query)


def go(path: str, **query: str) -> None:
    """Show that page with these parameters in its address, besides those that it has; the run ends here."""
    entry = st.session_state.get(_ENTRIES, {}).get(path)
    if entry is not None:
        st.switch_page(entry, query_params={**st.query_params.to_dict(), **query})
