"""Who looks: the credential of a visit, and a client that carries it.

The sign-in page (``ui.signin``) puts the text of an API session into a cookie that scripts cannot read; Streamlit gives
it to each run. ``st.session_state`` may hold a credential instead, which counts first. Nothing is kept on this side
but what a running visit needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NoReturn
from urllib.parse import urlencode

import streamlit as st

from attribution_client import AttributionError, Cache, Client, NotSignedIn, Retries
from attribution_client.models.auth import Who
from ui.parts.failures import in_words, tell

COOKIE: Final = "attribution_ui"
#: Value of the cookie where the API asks nobody who they are.
NOBODY: Final = "-"
#: Who everybody is there.
ANYBODY: Final = "insecure-dev"
_KEPT: Final = "credential"
_PATIENCE: Final = Retries(attempts=2, longest_wait_s=1)


@dataclass(frozen=True, slots=True)
class Credential:
    """What the API is asked with: a key, or the text of a session; both empty where it asks nobody."""

    key: str = field(default="", repr=False)
    session: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        """Tells callers apart in caches without holding the secret."""
        return blake2b(f"{self.key}\0{self.session}".encode(), digest_size=16).hexdigest()


def api_url() -> str:
    """Address of the API as this process reaches it."""
    return os.environ.get("ATTRIBUTION_UI_API_URL") or os.environ.get("ATTRIBUTION_API_URL") or "http://127.0.0.1:8000"


def credential() -> Credential:
    """Of this visit."""
    kept = st.session_state.get(_KEPT)
    if isinstance(kept, Credential):
        return kept
    text = st.context.cookies.get(COOKIE, "")
    return Credential(session="" if text == NOBODY else text)


def keep(found: Credential) -> None:
    """Use this credential for the rest of the visit."""
    st.session_state[_KEPT] = found


def client() -> Client:
    """A client of this visit; visits with the same credential share one, with the answers it keeps by tag."""
    found = credential()
    return _client(api_url(), found.digest, found)


@st.cache_resource(ttl=3_600, max_entries=500, show_spinner=False)
def _client(url: str, digest: str, _credential: Credential) -> Client:
    del digest  # tells the kept clients apart: Streamlit leaves names with an underscore out of the key
    return new_client(url, _credential)


def new_client(url: str, found: Credential, visitor: str = "") -> Client:
    """A client of its own, for instance for a stream that ends with the page; ``visitor``: address, where it counts."""
    return Client(
        url, found.key, session=found.session, timeout_s=20, retries=_PATIENCE, cache=Cache(), visitor=visitor
    )


def signed_in() -> Who:
    """Who looks; without a credential that holds, the way to sign in, and the run ends."""
    try:
        return _who(api_url(), credential().digest, client())
    except NotSignedIn:
        _ask_to_sign_in("Sign in to see your numbers." if credential() == Credential() else "Your session is over.")
    except AttributionError as error:
        tell(error)
        st.stop()


@contextmanager
def looking() -> Iterator[None]:
    """Failures in words, but a session that is over ends the page, and all on it that asks again by itself."""
    with in_words():
        try:
            yield
        except NotSignedIn:
            _who.clear()
            st.rerun()


@st.cache_data(ttl=30, max_entries=2_000, show_spinner=False)
def _who(url: str, digest: str, _client: Client) -> Who:
    del url, digest
    return _client.who()


def corner(who: Who) -> None:
    """Below the menu: who it is, and the way out."""
    with st.sidebar:
        st.caption(f"Signed in as **{who.actor}** ({who.role}), workspace **{who.workspace}**")
        if (credential().session or credential().key) and st.button("Sign out", icon=":material/logout:"):
            with_end = client()
            try:
                if credential().session:
                    with_end.logout()
            except AttributionError as error:
                tell(error)
                st.stop()
            _who.clear()
            keep(Credential(session="over"))
            st.rerun()


def nothing_allowed(who: Who) -> NoReturn:
    """The credential is good, but for no page."""
    st.title("Nothing to see with this credential", anchor=False)
    st.info(f"{who.actor} has the role {who.role}, which shows no page. Ask an administrator for the role viewer.")
    corner(who)
    st.stop()


def _ask_to_sign_in(why: str) -> NoReturn:
    st.title("Attribution", anchor=False)
    st.write(why)
    page = st.context.url.rstrip("/").rsplit("/", 1)[-1] if st.context.url else ""
    here = f"{page}?{urlencode(st.query_params.to_dict())}"
    way = f"signin?{urlencode({'next': here})}"
    st.markdown(f'<a href="{way}" target="_self">Sign in</a>', unsafe_allow_html=True)
    st.stop()
