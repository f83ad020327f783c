"""Numbers and tables as HTML. Every text of the store is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import quote

from dashboards.frames import Frame
from dashboards.macros import Selection
from dashboards.preview import colors
from dashboards.preview.fields import Field

_LINK_PART: Final = re.compile(r"\$\{([\w.]+)(?::(\w+))?\}")
_MOST_ROWS: Final = 60
#: More than these get less room each.
_MANY_COLUMNS: Final = 10


def number(panel: Mapping[str, Any], frame: Frame) -> str:
    """A ``stat`` panel: the last value, and its change to the first."""
    name = next((n for n in frame.names if n != "time"), "")
    field, values = Field(panel, name), [v for v in (frame.column(name) if name else []) if v is not None]
    last = values[-1] if values else None
    options = panel["options"]
    color = colors.named("text")
    if options["colorMode"] == "value":
        color = colors.at_threshold(None if last is None else float(last), field.get("thresholds")["steps"])
    parts = [f'<div class="number" style="color:{color}">{escape(field.text(last))}</div>']
    if options["showPercentChange"]:
        parts.append(_change(values, options["percentChangeColorMode"]))
    return f'<div class="kpi">{"".join(parts)}</div>'


def _change(values: Sequence[float], mode: str) -> str:
    if len(values) < 2 or not values[0]:
        return '<div class="change">-</div>'
    change = values[-1] / values[0] - 1
    is_good = (change >= 0) != (mode == "inverted")
    arrow = "↑" if change >= 0 else "↓"
    color = colors.named("green" if is_good else "red")
    return f'<div class="change" style="color:{color}">{arrow} {abs(change):.1%}</div>'


def table(panel: Mapping[str, Any], frame: Frame, selection: Selection) -> str:
    """A ``table`` panel, its first rows."""
    fields = [Field(panel, name) for name in frame.names]
    is_number = ["String" not in kind and "Date" not in kind for kind in frame.types]
    heat = _heat_bounds(frame, fields, is_number)
    head = "".join(
        f'<th style="{_width(f)}" class="{"right" if n else ""}">{escape(f.label).replace("_", "_<wbr>")}</th>'
        for f, n in zip(fields, is_number, strict=True)
    )
    body = []
    for row in frame.rows[:_MOST_ROWS]:
        values = dict(zip(frame.names, row, strict=True))
        cells = (
            _cell(field, value, values, selection, right=right, heat=heat)
            for field, value, right in zip(fields, row, is_number, strict=True)
        )
        body.append(f"<tr>{''.join(cells)}</tr>")
    size = "narrow" if len(fields) > _MANY_COLUMNS else ""
    whole = f'<table class="{size}"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return f'<div class="scroll">{whole}</div>'


def _cell(
    field: Field, value: Any, row: Mapping[str, Any], selection: Selection, *, right: bool, heat: tuple[float, float]
) -> str:
    kind = field.get("custom.cellOptions", {}).get("type", "auto")
    shown, style = escape(field.text(value)), ""
    if kind == "color-text":
        style = f"color:{colors.at_threshold(value, field.get('thresholds')['steps'])}" if value is not None else ""
    if kind == "color-background" and right:
        style = f"background:{colors.heat(float(value), *heat)};color:#fff"
    if kind == "gauge" and value is not None:
        low, high = field.get("min", 0), field.get("max", 1)
        part = max(0.0, min(1.0, (float(value) - low) / (high - low)))
        color = colors.named(field.fixed_color or "blue")
        shown = (
            f'<div class="gauge"><span><i style="width:{part:.1%};background:{color}"></i></span><b>{shown}</b></div>'
        )
    if links := field.get("links"):
        address = _address(links[0]["url"], value, row, selection)
        shown = f'<a href="{escape(address)}" title="{escape(links[0]["title"])}">{shown}</a>'
    return f'<td class="{"right" if right else ""}" style="{style}" title="{escape(str(value))}">{shown}</td>'


def _width(field: Field) -> str:
    width = field.get("custom.width")
    return f"width:{width}px" if width else ""


def _heat_bounds(frame: Frame, fields: Sequence[Field], is_number: Sequence[bool]) -> tuple[float, float]:
    found = [
        float(row[place] or 0)
        for place, field in enumerate(fields)
        if is_number[place] and field.get("custom.cellOptions", {}).get("type") == "color-background"
        for row in frame.rows
    ]
    return (min(found), max(found)) if found else (0.0, 1.0)


def _address(url: str, value: Any, row: Mapping[str, Any], selection: Selection) -> str:
    def part(found: re.Match[str]) -> str:
        name = found[1]
        if name == "__value.raw":
            plain = str(value)
        elif name.startswith("__data.fields."):
            plain = str(row[name.removeprefix("__data.fields.")])
        elif name in selection.variables:
            plain = ",".join(selection.variables[name].values)
        else:
            return ""
        return quote(plain, safe="") if found[2] == "percentencode" else plain

    return _LINK_PART.sub(part, url)
