"""Tables that can be taken along as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

#: Columns of numbers, so that a click on the name sorts them as such: amounts in units, shares, ratios, counts.
AMOUNT: Final = st.column_config.NumberColumn(format="accounting")
SHARE: Final = st.column_config.NumberColumn(format="percent")
RATIO: Final = st.column_config.NumberColumn(format="%.2f")
COUNT: Final = st.column_config.NumberColumn(format="localized")
RIGHT: Final = st.column_config.TextColumn(alignment="right")
#: What a spreadsheet would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def table(
    rows: Sequence[Mapping[str, Any]],
    *,
    name: str,
    said: str,
    columns: Mapping[str, Any] | None = None,
    exact: Sequence[Mapping[str, Any]] | None = None,
    **more: Any,
) -> Any:
    """A table with a button that downloads it.

    Args:
        rows: a mapping each, as they are shown.
        name: of the file, without its end; also the widget's key.
        said: what the table holds, for those who do not see it.
        columns: ``st.column_config`` by column.
        exact: rows of the file where it holds more than is shown, for instance amounts to the micro.
        more: further arguments of ``st.dataframe``.
    """
    st.caption(said)
    event = st.dataframe(
        list(rows), hide_index=True, width="stretch", column_config=columns, key=f"table-{name}", alt=said, **more
    )
    st.download_button(
        "Download CSV",
        to_csv(exact if exact is not None else rows),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"csv-{name}",
        on_click="ignore",
    )
    return event


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180, UTF-8 with names in the first line; a text that a spreadsheet would run gets a quote before it."""
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({k: _harmless(v) for k, v in row.items()} for row in rows)
    return out.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
