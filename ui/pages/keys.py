"""Who may come in: API keys and users of the workspace. For administrators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import streamlit as st

from attribution_client.models.auth import KeyOut, UserOut, Who
from ui import asking, session
from ui.asking import ask
from ui.filters import Filters
from ui.parts.empty import nothing
from ui.parts.failures import in_words
from ui.parts.tables import table
from ui.wording import NONE

_ROLES: Final = {
    "viewer": "viewer: reports and customers' journeys",
    "analyst": "analyst: those, and what-ifs",
    "ingestor": "ingestor: sends events, reads nothing",
    "admin": "admin: everything",
}
_TEXT: Final = "made_key"
_SAID: Final = "said_of_accounts"


def show(asked: Filters) -> None:
    """Draw the page."""
    del asked
    who = session.signed_in()
    if said := st.session_state.pop(_SAID, ""):
        st.success(said, icon=":material/check:")
    if who.actor == session.ANYBODY:
        nothing("This API asks nobody who they are (--insecure-dev).", "attribution api", "So keys and users count.")
        return
    keys, users = st.tabs(["Keys", "Users"])
    with keys:
        _made()
        _keys(who)
    with users:
        _users(who)


def _made() -> None:
    text = st.session_state.get(_TEXT)
    if not text:
        return
    with st.container(border=True):
        st.markdown(":material/key: **Copy it now: it is shown this one time.**")
        st.code(text, language=None)
        if st.button("I have it"):
            del st.session_state[_TEXT]
            st.rerun()


def _keys(who: Who) -> None:
    found: tuple[KeyOut, ...] = ask("keys").keys
    with st.form("new-key", border=True):
        st.markdown("**Make a key**")
        with st.container(horizontal=True):
            role = st.selectbox(
                "Role of the key", list(_ROLES), format_func=_ROLES.__getitem__, key="key_role", width=320
            )
            label = st.text_input("Label", placeholder="web shop", max_chars=128, key="key_label", width=220)
            days = st.number_input("Ends after days", 0, 3650, 0, key="key_days", help="0: never.", width=140)
        if st.form_submit_button("Make the key", icon=":material/add:"):
            with in_words():
                end = datetime.now(UTC) + timedelta(days=days) if days else None
                st.session_state[_TEXT] = session.client().create_key(role, label=label, expires_at=end).key
                asking.forget()
                st.rerun()
    now = datetime.now(UTC)
    table(
        [
            {
                "Id": k.id,
                "Label": k.label,
                "Role": k.role,
                "State": _state(k, now),
                "Scopes": ", ".join(k.scopes),
                "Made": f"{k.created_at:%Y-%m-%d}",
                "Ends": NONE if k.expires_at is None else f"{k.expires_at:%Y-%m-%d}",
            }
            for k in reversed(found)
        ],
        name="keys",
        said=f"Keys of the workspace {who.workspace}, the newest first. Their texts are kept nowhere.",
    )
    _revoke([k for k in reversed(found) if k.revoked_at is None and who.actor != f"key:{k.id}"])


def _state(key: KeyOut, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "over" if key.expires_at is not None and key.expires_at <= now else "good"


def _revoke(keys: list[KeyOut]) -> None:
    if not keys:
        st.caption("There is no other key to revoke.")
        return
    labels = {k.id: f"{k.label or 'no label'}, {k.role}, {k.id}" for k in keys}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Key to revoke", list(labels), format_func=labels.__getitem__, key="revoke", width=360)
        with st.popover("Revoke …", icon=":material/block:"):
            st.markdown(f"**{labels[chosen]}** is refused from then on, for good.")
            if st.button("Revoke it", key="revoke-it"):
                with in_words():
                    session.client().revoke_key(chosen)
                    asking.forget()
                    st.session_state[_SAID] = f"Revoked: {labels[chosen]}. Other processes notice within 5 seconds."
                    st.rerun()


def _users(who: Who) -> None:
    found = ask("users").users
    with st.form("new-user", border=True, clear_on_submit=False):
        st.markdown("**Make a user**")
        with st.container(horizontal=True):
            name = st.text_input("Name", placeholder="ada@example.org", max_chars=64, key="user_name", width=240)
            password = st.text_input(
                "Password, 12 characters or more",
                type="password",
                key="user_password",
                autocomplete="new-password",
                width=240,
            )
            role = st.selectbox(
                "Role of the user", list(_ROLES), format_func=_ROLES.__getitem__, key="user_role", width=320
            )
        if st.form_submit_button("Make the user", icon=":material/person_add:"):
            with in_words():
                made = session.client().create_user(name.strip().lower(), password, role=role)
                asking.forget()
                st.session_state[_SAID] = f"{made.name} can sign in as {made.role}."
                st.rerun()
    if not found:
        st.markdown(
            "Nobody signs in by name yet; keys work all the same. On the machine itself: `attribution user create`."
        )
        return
    table(
        [
            {
                "Name": u.name,
                "Role": u.role,
                "State": "good" if u.disabled_at is None else f"disabled {u.disabled_at:%Y-%m-%d}",
                "Made": f"{u.created_at:%Y-%m-%d}",
            }
            for u in found
        ],
        name="users",
        said=f"Users of the workspace {who.workspace}.",
    )
    others = {u.name: u for u in found if who.actor != f"user:{u.name}"}
    if others:
        _change(others[st.selectbox("User to change", list(others), key="user", width=300)])


def _change(user: UserOut) -> None:
    name, role, disabled_at = user.name, user.role, user.disabled_at
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.selectbox(
            "Role then", list(_ROLES), index=list(_ROLES).index(role), key=f"role-{name}", width=200, format_func=str
        )
        if st.button("Change the role", disabled=wanted == role):
            _do(name, f"{name} has the role {wanted}.", role=wanted)
        if disabled_at is None:
            with st.popover("Let in no more …", icon=":material/block:"):
                st.markdown(f"The sessions of **{name}** end at once.")
                if st.button("Disable", key="disable-it"):
                    _do(name, f"{name} may not sign in any more.", disabled=True)
        elif st.button("Let in again"):
            _do(name, f"{name} may sign in again.", disabled=False)


def _do(name: str, said: str, *, role: str | None = None, disabled: bool | None = None) -> None:
    with in_words():
        session.client().change_user(name, role=role, disabled=disabled)
        asking.forget()
        st.session_state[_SAID] = said
        st.rerun()
