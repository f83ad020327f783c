"""From nothing to the first event: what to paste, and whether it has arrived."""

from __future__ import annotations

import secrets
from typing import Final
from urllib.parse import urlsplit

import streamlit as st

from attribution_client import NotFound
from attribution_client.models.analytics import CustomerJourney
from ui import links, session
from ui.asking import ask
from ui.filters import Filters
from ui.parts.failures import in_words
from ui.snippets import NO_KEY, WAYS, Way
from ui.wording import moment

_TICK_S: Final = 2.0
_MADE: Final = "write_key"


def show(asked: Filters) -> None:
    """Draw the page."""
    del asked
    mark = st.session_state.setdefault("setup_mark", secrets.token_hex(3))
    st.markdown(
        "Choose a way, paste what it says, and see it arrive: a few seconds from your event to its credits. The same "
        "event twice counts once, so try as often as you like."
    )
    _key()
    key = st.session_state.get(_MADE, NO_KEY)
    for tab, way in zip(st.tabs([way.title for way in WAYS]), WAYS, strict=True):
        with tab:
            st.markdown(way.needs)
            st.code(way.text(address(), key, _customer(way, mark)), language=None, wrap_lines=True)
            _arrived(way, _customer(way, mark))
    with st.expander("And then", icon=":material/arrow_forward:"):
        st.markdown(
            "- Spend makes ROAS: docs/spend-and-fx.md.\n- All fields and their other names: docs/wire.md.\n"
            "- A month of made-up events, to look around: `attribution simulate --days 28`."
        )


def address() -> str:
    """The API as the visitor reaches it: beside this page, or where this process finds it."""
    here = urlsplit(st.context.url or "")
    if here.netloc and here.path.startswith("/ui"):
        return f"{here.scheme}://{here.netloc}"
    return session.api_url()


def _customer(way: Way, mark: str) -> str:
    return f"first-{way.name}-{mark}"


def _key() -> None:
    if _MADE in st.session_state:
        st.success(
            "The write key is in the texts below. It is shown this one time: keep it where your producers find it.",
            icon=":material/key:",
        )
        return
    if session.signed_in().actor == session.ANYBODY:
        st.info("This API asks nobody for a key (`--insecure-dev`): any text in its place will do.")
        return
    if "manage" not in session.signed_in().scopes:
        st.info(f"Put a write key in the place of {NO_KEY}: an administrator makes one, role ingestor.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Make a write key", icon=":material/key:"):
            with in_words():
                made = session.client().create_key("ingestor", label="first event")
                st.session_state[_MADE] = made.key
                st.rerun()
        st.markdown(
            f"It may send events and read nothing. Or put one that you have in the place of {NO_KEY}. On the machine "
            "itself: `attribution key create --role ingestor`."
        )


@st.fragment(run_every=_TICK_S)
def _arrived(way: Way, customer: str) -> None:
    with session.looking():
        try:
            found: CustomerJourney | None = ask("customer_journey", customer)
        except NotFound:
            found = None
        if found is None or not found.events:
            st.info(f"Waiting for your first event from {way.title} …", icon=":material/hourglass_top:")
            return
        first = found.events[0]
        what = first.channel or first.conversion_type or first.type
        st.success(
            f"It is here: {len(found.events)} of {customer}, the first {what} of {moment(first.occurred_at)}.",
            icon=":material/check_circle:",
        )
        links.to("Journeys", "Look at its journey", icon=":material/route:", customer_id=customer)
