"""Rules for the dashboards' JSON, read without Grafana or its SDK; each finding says where and what to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from dashboards.macros import used_variables

_COLUMNS: Final = 24
_TIME: Final = re.compile(r"\$__(timeFilter|dateFilter|fromTime|toTime|timeFrom|timeTo)\b")
_LINK_VARIABLE: Final = re.compile(r"\$\{(?!__)(\w+)")
_KINDS: Final = {"stat": (0, 1), "timeseries": (0,), "barchart": (1,), "table": (1,), "xychart": (1,)}
_CLICKHOUSE: Final = {"type": "grafana-clickhouse-datasource", "uid": "${datasource}"}
_PROMETHEUS: Final = {"type": "prometheus", "uid": "${prometheus}"}
Json = Mapping[str, Any]


def findings(board: Json) -> list[str]:
    """What is wrong with a dashboard; empty when nothing is."""
    found = [*_of_board(board), *_of_variables(board), *_of_uses(board), *_of_places(board)]
    for panel in panels(board):
        found += [f"panel {panel.get('id')} {panel.get('title')!r}: {text}" for text in _of_panel(panel)]
    return [f"{board.get('uid')}: {text}" for text in found]


def panels(board: Json) -> list[Json]:
    """All panels, those inside rows included, rows not."""
    top = [panel for panel in board["panels"] if panel["type"] != "row"]
    return top + [inner for row in board["panels"] if row["type"] == "row" for inner in row["panels"]]


def statements(board: Json) -> Iterator[tuple[str, str]]:
    """(where, SQL) of every ClickHouse query, those of variables included."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["query"]["rawSql"]
    for panel in panels(board):
        for target in panel["targets"]:
            if "rawSql" in target:
                yield f"panel {panel['title']}", target["rawSql"]


def _of_board(board: Json) -> Iterator[str]:
    if board.get("editable") is not False:
        yield "editable: must be false, changes belong into the repository"
    if board.get("timezone") != "utc":
        yield "timezone: must be utc, sums are of days in UTC"
    for key in ("uid", "title", "description", "tags", "refresh", "time"):
        if not board.get(key):
            yield f"{key}: is missing"


def _of_variables(board: Json) -> Iterator[str]:
    variables = {v["name"]: v for v in board["templating"]["list"]}
    if variables.get("datasource", {}).get("query") != _CLICKHOUSE["type"]:
        yield "variables: a datasource of the ClickHouse plugin is missing"
    for name, variable in variables.items():
        if not variable.get("label") or not variable.get("description"):
            yield f"variable {name}: label or description is missing"
        if variable["type"] == "query" and variable.get("datasource") != _CLICKHOUSE:
            yield f"variable {name}: its datasource must be the variable"
        if variable["type"] == "query" and variable.get("refresh") not in {1, 2}:
            yield f"variable {name}: is never filled anew"


def _of_uses(board: Json) -> Iterator[str]:
    variables = {v["name"] for v in board["templating"]["list"]}
    for where, sql in statements(board):
        for name in sorted(used_variables(sql) - variables):
            yield f"{where}: there is no variable {name}"
    for panel in panels(board):
        for name in _linked_variables(panel):
            if name not in variables:
                yield f"panel {panel['title']}: a link names the variable {name}, which is not there"


def _linked_variables(panel: Json) -> set[str]:
    properties = (p for override in panel["fieldConfig"]["overrides"] for p in override["properties"])
    urls = [link["url"] for p in properties if p["id"] == "links" for link in p["value"]]
    return {name for url in urls for name in _LINK_VARIABLE.findall(url)}


def _of_places(board: Json) -> Iterator[str]:
    everything = [*panels(board), *(p for p in board["panels"] if p["type"] == "row")]
    for name, values in (("id", [p["id"] for p in everything]), ("title", [p["title"] for p in everything])):
        yield from (f"{name} {value!r}: is given {n} times" for value, n in Counter(values).items() if n > 1)
    for panel in everything:
        place = panel["gridPos"]
        if place["x"] < 0 or place["y"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > _COLUMNS:
            yield f"panel {panel['title']!r}: {place} is not within {_COLUMNS} columns"
    for a, b in combinations(everything, 2):
        if _overlap(a["gridPos"], b["gridPos"]):
            yield f"panels {a['title']!r} and {b['title']!r} overlap"


def _overlap(a: Json, b: Json) -> bool:
    return bool(
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )


def _of_panel(panel: Json) -> Iterator[str]:
    for key in ("title", "description"):
        if not panel.get(key):
            yield f"{key}: is missing"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "unit: is missing"
    targets = panel.get("targets") or []
    if not targets:
        yield "targets: it asks nothing"
    if panel.get("datasource") not in (_CLICKHOUSE, _PROMETHEUS):
        yield "datasource: must be a variable"
    for target in targets:
        if target.get("datasource") != panel.get("datasource"):
            yield f"target {target.get('refId')}: must ask the panel's datasource"
        if panel.get("datasource") == _CLICKHOUSE:
            yield from _of_target(panel, target)
    yield from _of_legend(panel)


def _of_target(panel: Json, target: Json) -> Iterator[str]:
    if not _TIME.search(target.get("rawSql", "")):
        yield "rawSql: no time macro, so the time range of the dashboard does nothing"
    if target.get("format") not in _KINDS.get(panel["type"], ()):
        yield f"format {target.get('format')}: not for a panel of type {panel['type']}"
    if target.get("editorType") != "sql":
        yield "editorType: must be sql, or the plugin builds its own statement"


def _of_legend(panel: Json) -> Iterator[str]:
    if panel["type"] not in {"timeseries", "barchart"}:
        return
    legend = panel["options"].get("legend", {})
    if legend.get("showLegend") and (legend.get("placement"), legend.get("displayMode")) != ("bottom", "list"):
        yield "legend: must be a list below, beside the plot it takes its room"
    has_one = panel["type"] == "barchart" and len(panel["fieldConfig"]["overrides"]) == 1
    if bool(legend.get("showLegend")) == has_one:
        yield "legend: shown for several series, and only then"
