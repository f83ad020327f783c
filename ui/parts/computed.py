"""How a number came about: its formula, the call that gave it, and a query that gives it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib import resources
from typing import Any
from urllib.parse import urlencode

import streamlit as st


def how(formula: str, call: str, asked: Mapping[str, Any], query: str) -> None:
    """A part that opens.

    Args:
        formula: in Markdown.
        call: method and path of the API.
        asked: its parameters.
        query: a file of ``ui/sql``, without its end.
    """
    part = st.expander("How was this computed?", icon=":material/calculate:", key=f"how-{query}", on_change="rerun")
    if not part.open:  # the browser side of st.code takes half a second to load
        return
    with part:
        st.markdown(formula)
        st.markdown("The call of the API, with an API key in the header `X-API-Key`:")
        st.code(address(call, asked), language=None, wrap_lines=True)
        st.markdown("The same from the views of ClickHouse:")
        st.code(sql(query), language=None, wrap_lines=True)


def address(call: str, asked: Mapping[str, Any]) -> str:
    """The call with its parameters, as it can be sent."""
    plain = {k: v.isoformat() if isinstance(v, date) else v for k, v in asked.items() if v is not None}
    flat = {k: ",".join(v) if isinstance(v, list | tuple) else v for k, v in plain.items()}
    return f"{call}?{urlencode(flat, safe=',:')}" if flat else call


def sql(name: str) -> str:
    """A query of ``ui/sql``."""
    return (resources.files("ui") / "sql" / f"{name}.sql").read_text(encoding="utf-8").strip()
