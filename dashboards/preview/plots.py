"""Lines, bars and points as figures for plotly.js. Axes carry labels in the panel's unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from dashboards import units
from dashboards.frames import Frame, series
from dashboards.preview import colors
from dashboards.preview.fields import Field

Figure = dict[str, Any]
_GRID: Final = "rgba(204,204,220,0.10)"
_TEXT: Final = "rgba(204,204,220,0.85)"
_FONT: Final = 'Inter, "Helvetica Neue", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif'
#: Marks of a logarithmic axis of seconds.
_SPANS: Final = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 864_000.0, 8_640_000.0)
#: Letters of a name on an axis of bars.
_LONGEST: Final = 22


def lines(panel: Mapping[str, Any], frame: Frame, span: tuple[datetime, datetime]) -> Figure:
    """A ``timeseries`` panel; ``span`` is the time range."""
    found = series(frame)
    usual, common = colors.by_name(list(found)), Field(panel, "")
    stacked = common.get("custom.stacking", {}).get("mode") == "normal"
    is_bars = common.get("custom.drawStyle") == "bars"
    traces = []
    for name, points in found.items():
        field = Field(panel, name)
        color = colors.named(field.fixed_color or usual[name])
        trace: Figure = {
            "x": [at.isoformat() for at, _ in points],
            "y": [value for _, value in points],
            "name": field.label,
        }
        if is_bars:
            trace |= {"type": "bar", "marker": {"color": color, "line": {"width": 0}}}
        else:
            mode = "lines" if len(points) > 2 else "lines+markers"
            trace |= {"type": "scatter", "mode": mode, "line": {"color": color, "width": 2}, "connectgaps": False}
            if len(found) <= 2:
                trace |= {"fill": "tozeroy", "fillcolor": _faded(color)}
        traces.append(trace)
    is_log = common.get("custom.scaleDistribution", {}).get("type") == "log"
    width = _bar_width(found, span) if is_bars else timedelta(0)
    if is_bars:
        traces = [t | {"width": 0.8 * width.total_seconds() * 1_000} for t in traces]
    layout = _layout(legend=len(traces) > 1)
    layout["barmode"] = "stack" if stacked else "group"
    layout["bargap"] = 0.25
    layout["xaxis"] |= {"type": "date", "range": [(span[0] - width / 2).isoformat(), (span[1] + width / 2).isoformat()]}
    layout["yaxis"] |= _log_axis(found, common) if is_log else _axis(_highest(found, stacked=stacked), common)
    return {"data": traces, "layout": layout}


def bars(panel: Mapping[str, Any], frame: Frame) -> Figure:
    """A ``barchart`` panel."""
    options, common = panel["options"], Field(panel, "")
    labels = [_short(str(name)) for name in frame.column(options["xField"])]
    values = [name for name in frame.names if name != options["xField"]]
    usual, sideways = colors.by_name(values), options["orientation"] == "horizontal"
    traces = []
    for name in values:
        field, column = Field(panel, name), frame.column(name)
        trace: Figure = {"type": "bar", "name": field.label, "cliponaxis": False}
        trace |= {"x": column, "y": labels, "orientation": "h"} if sideways else {"x": labels, "y": column}
        trace["marker"] = {"color": colors.named(field.fixed_color or usual[name]), "line": {"width": 0}}
        if options["showValue"] == "always":
            trace |= {"text": [field.text(v) for v in column], "textposition": "outside", "textfont": {"color": _TEXT}}
        traces.append(trace)
    layout = _layout(legend=options["legend"]["showLegend"])
    layout |= {"barmode": "group", "bargap": 0.3, "bargroupgap": 0.08}
    highest = max((v for name in values for v in frame.column(name) if v is not None), default=0)
    room = 1.15 if options["showValue"] == "always" else 1.0
    name_axis, value_axis = ("yaxis", "xaxis") if sideways else ("xaxis", "yaxis")
    layout[value_axis] |= _axis(highest * room, common, count=4)
    layout[name_axis] |= {"type": "category", "showgrid": False, "categoryorder": "array", "categoryarray": labels}
    if sideways:
        layout["yaxis"]["autorange"] = "reversed"
    return {"data": traces, "layout": layout}


def points(panel: Mapping[str, Any], frame: Frame) -> Figure:
    """An ``xychart`` panel. The names beside the points stand for what Grafana tells on hover."""
    of = {k: panel["options"]["series"][0][k]["matcher"]["options"] for k in ("x", "y", "size")}
    x, y = Field(panel, of["x"]), Field(panel, of["y"])
    sizes = [float(v or 0) for v in frame.column(of["size"])]
    largest = max(sizes, default=1) or 1
    limits = x.get("custom.pointSize", {"min": 8, "max": 40})
    trace: Figure = {
        "type": "scatter",
        "mode": "markers+text",
        "x": frame.column(of["x"]),
        "y": frame.column(of["y"]),
        "text": frame.column("channel"),
        "textposition": _sides(frame.column(of["x"])),
        "textfont": {"color": _TEXT, "size": 11},
        "cliponaxis": False,
        "marker": {
            "color": colors.named(x.fixed_color or "blue"),
            "opacity": 0.75,
            "size": [limits["min"] + (limits["max"] - limits["min"]) * math.sqrt(s / largest) for s in sizes],
        },
    }
    layout = _layout(legend=False)
    layout["xaxis"] |= _axis(1.15 * max(trace["x"], default=0), x) | {"title": {"text": x.label, "standoff": 8}}
    highest = 1.2 * max(trace["y"], default=0)
    # room for names below the lowest points
    layout["yaxis"] |= _axis(highest, y) | {"title": {"text": y.label, "standoff": 8}, "range": [-highest / 8, highest]}
    return {"data": [trace], "layout": layout}


def _layout(*, legend: bool) -> Figure:
    axis = {
        "gridcolor": _GRID,
        "zerolinecolor": _GRID,
        "linecolor": _GRID,
        "tickfont": {"color": _TEXT, "size": 11},
        "automargin": True,
        "fixedrange": True,
    }
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "color": _TEXT, "size": 12},
        "margin": {"l": 8, "r": 14, "t": 8, "b": 8},
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.14, "yanchor": "top", "font": {"size": 11}},
        "hovermode": "closest",
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }


def _axis(highest: float, field: Field, count: int = 5) -> Figure:
    places = units.ticks(0, highest or 1, count)
    if field.get("decimals") == 0 and field.get("unit") != "percentunit":
        places = [v for v in places if v == int(v)]
    return {
        "range": [0, (highest or 1) * 1.04],
        "tickvals": places,
        "ticktext": [units.text(v, field.get("unit", "")) for v in places],
    }


def _log_axis(found: Mapping[str, Sequence[tuple[Any, float | None]]], field: Field) -> Figure:
    values = [v for points_ in found.values() for _, v in points_ if v]
    low = math.log10(min(values, default=0.1)) - 0.1
    high = max(low + 1, math.log10(max(values, default=1)) + 0.1)
    wanted = _SPANS if field.get("unit") == "s" else [10.0**n for n in range(math.floor(low), math.ceil(high) + 1)]
    places = [v for v in wanted if low <= math.log10(v) <= high]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": places,
        "ticktext": [units.text(v, field.get("unit", "")) for v in places],
    }


def _bar_width(found: Mapping[str, Sequence[tuple[datetime, Any]]], span: tuple[datetime, datetime]) -> timedelta:
    """The smallest gap between two times; a lone bar is no wider than a fortieth of the panel."""
    times = sorted({at for points_ in found.values() for at, _ in points_})
    most = (span[1] - span[0]) / 24
    return min((b - a for a, b in pairwise(times)), default=most) if len(times) > 10 else most / 2


def _highest(found: Mapping[str, Sequence[tuple[Any, float | None]]], *, stacked: bool) -> float:
    sums: dict[Any, float] = {}
    for values in found.values():
        for at, value in values:
            sums[at] = sums.get(at, 0) + (value or 0) if stacked else max(sums.get(at, 0), value or 0)
    return max(sums.values(), default=0)


def _sides(places: Sequence[float]) -> list[str]:
    """Names above and below in turn from left to right: neighbours do not run into each other."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    found = [""] * len(places)
    for rank, place in enumerate(order):
        found[place] = "bottom center" if rank % 2 else "top center"
    return found


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _faded(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.10)"
