"""A dashboard as one HTML page: its variables, and its panels where Grafana would put them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from clickhouse.errors import StoreError
from dashboards import frames
from dashboards.choices import Choice
from dashboards.macros import MacroError, Selection
from dashboards.preview import cells, plots
from dashboards.preview.fields import titled

#: Grafana's grid: a unit of height, and the gap between panels.
_UNIT, _GAP = 30, 8
RANGES: Final = (
    ("now-6h", "Last 6 hours"),
    ("now-48h", "Last 2 days"),
    ("now-6d/d", "7 days"),
    ("now-29d/d", "30 days"),
    ("now-89d/d", "90 days"),
)


def render(
    client: Any,
    board: Mapping[str, Any],
    boards: Sequence[Mapping[str, Any]],
    selection: Selection,
    choices: Sequence[Choice],
    since: str,
) -> str:
    """The page.

    Args:
        client: the store.
        board: what is shown, as JSON.
        boards: all of them, for the way to the others.
        selection: what is chosen.
        choices: what may be chosen.
        since: the beginning of the time range, as it was asked for.
    """
    drawn = [_panel(client, panel, selection) for panel in board["panels"] if panel["type"] != "row"]
    template = (files("dashboards") / "preview" / "page.html").read_text(encoding="utf-8")
    filled = {
        "TITLE": escape(board["title"]),
        "DESCRIPTION": escape(board["description"]),
        "TABS": "".join(_tab(other, other["uid"] == board["uid"]) for other in boards),
        "CHOICES": _range(since) + "".join(map(_choice, choices)),
        "PANELS": "".join(html for html, _ in drawn),
        # no "<" may end the script that the figures are in
        "FIGURES": json.dumps([figure for _, figure in drawn if figure], default=str).replace("<", "\\u003c"),
    }
    for name, text in filled.items():
        template = template.replace(f"<!--{name}-->", text)
    return template


def _panel(client: Any, panel: Mapping[str, Any], selection: Selection) -> tuple[str, dict[str, Any] | None]:
    """A panel's HTML, and its figure if it has one."""
    place, figure = panel["gridPos"], None
    title = escape(titled(panel["title"], selection))
    style = (
        f"grid-column:{place['x'] + 1}/span {place['w']};grid-row:{place['y'] + 1}/span {place['h']};"
        f"height:{place['h'] * _UNIT + (place['h'] - 1) * _GAP}px"
    )
    try:
        frame = frames.transformed(frames.ask(client, panel, selection), panel.get("transformations") or ())
        inside, figure = _drawn(panel, frame, selection)
    except (StoreError, MacroError) as error:
        inside = f'<div class="empty error">{escape(str(error))}</div>'
    html = (
        f'<section class="panel" style="{style}">'
        f'<h2 title="{escape(panel["description"])}">{title}</h2><div class="inside">{inside}</div></section>'
    )
    return html, figure


def _drawn(panel: Mapping[str, Any], frame: frames.Frame, selection: Selection) -> tuple[str, dict[str, Any] | None]:
    kind = panel["type"]
    if kind == "stat":
        return cells.number(panel, frame), None
    if not frame.rows:
        return '<div class="empty">No data</div>', None
    if kind == "table":
        return cells.table(panel, frame, selection), None
    if kind == "timeseries":
        figure = plots.lines(panel, frame, (selection.start, selection.end))
    elif kind == "barchart":
        figure = plots.bars(panel, frame)
    else:
        figure = plots.points(panel, frame)
    return f'<div class="plot" id="plot-{panel["id"]}"></div>', figure | {"id": f"plot-{panel['id']}"}


def _tab(board: Mapping[str, Any], is_here: bool) -> str:
    name = escape(board["title"].split("· ")[-1])
    return f'<a class="{"here" if is_here else ""}" href="{escape(board["uid"])}.html">{name}</a>'


def _range(since: str) -> str:
    known = RANGES if since in dict(RANGES) else ((since, since), *RANGES)
    return _select("from", "Time (UTC)", known, [since], is_many=False)


def _choice(choice: Choice) -> str:
    shown = [] if choice.chosen.is_all else list(choice.chosen.values)
    options = [("", "All"), *choice.options] if choice.is_many else choice.options
    return _select(f"var-{choice.name}", choice.label, options, shown or [""], is_many=choice.is_many)


def _select(name: str, label: str, options: Sequence[tuple[str, str]], chosen: Sequence[str], *, is_many: bool) -> str:
    if is_many and len(chosen) > 1:
        options = [("", "All"), (chosen[0], " + ".join(chosen)), *options]
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen[0] else ""}>{escape(text)}</option>'
        for value, text in options
    )
    return f'<label><span>{escape(label)}</span><select name="{escape(name)}">{listed}</select></label>'
