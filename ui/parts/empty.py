"""What stands where there is nothing to show: why, and which command helps."""

from __future__ import annotations

import streamlit as st


def nothing(why: str, command: str = "", then: str = "") -> None:
    """An empty state.

    Args:
        why: what is missing.
        command: that brings it, to be copied.
        then: what else may help.
    """
    with st.container(border=True):
        st.markdown(f":material/inbox: **{why}**")
        if command:
            st.code(command, language=None, wrap_lines=True)
        if then:
            st.markdown(then)
