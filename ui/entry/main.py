"""The script that Streamlit runs for every visit: who is it, which page, which filters.

It has a folder of its own: beside one named ``pages`` Streamlit would take those modules for the pages of the first
visit after a start, and tell the visitor that the page was not found.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

import streamlit as st

from ui import filters, links, session
from ui.pages import PAGES, Page

_UI: Final = Path(__file__).parents[1]


def _shown(page: Page) -> Callable[[], None]:
    def show() -> None:
        st.title(page.title, anchor=False)
        with session.looking():
            import_module(f"ui.pages.{page.module}").show(filters.ask(page.filters, page.path))

    show.__name__ = page.module
    return show


def main() -> None:
    """One run of the script."""
    st.set_page_config(page_title="Attribution", page_icon=str(_UI / "icon.svg"), layout="wide")
    st.html(_UI / "style.css")
    who = session.signed_in()
    entries: dict[str, st.Page] = {}
    for page in PAGES:
        if page.scope in who.scopes:
            entries[page.path] = st.Page(
                _shown(page), title=page.title, icon=page.icon, url_path=page.path, default=page is PAGES[0]
            )
    if not entries:
        session.nothing_allowed(who)
    links.remember(entries)
    # without headings: with them Streamlit makes a list that screen readers do not take for one
    chosen = st.navigation(list(entries.values()), expanded=True)
    session.corner(who)
    chosen.run()


main()
