"""What a viewer may choose in a dashboard, and what is chosen: its variables, filled in order as Grafana does it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dashboards.frames import run
from dashboards.macros import Chosen, Selection, expand

ALL: Final = "$__all"
_RELATIVE: Final = re.compile(r"now(?:-(\d+)([mhdw]))?(/d)?")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable that is shown: options are (value, text)."""

    name: str
    label: str
    is_many: bool
    options: Sequence[tuple[str, str]]
    chosen: Chosen


def moment(text: str, now: datetime) -> datetime:
    """A point in time as Grafana writes it: ``now``, ``now-6h``, ``now-29d/d``; or an ISO date.

    Raises:
        ValueError: it is none.
    """
    found = _RELATIVE.fullmatch(text)
    if found is None:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"time {text!r}: give now, now-6h, now-29d/d or a date like 2026-11-01") from None
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    at = now - timedelta(**{_UNITS[found[2]]: int(found[1])}) if found[1] else now
    return at.replace(hour=0, minute=0, second=0, microsecond=0) if found[3] else at


def choose(
    client: Any, board: Mapping[str, Any], start: datetime, end: datetime, asked: Mapping[str, Sequence[str]]
) -> tuple[Selection, list[Choice]]:
    """The selection for a dashboard, and its variables with their options.

    Args:
        client: the store.
        board: the dashboard's JSON.
        start: of the time range, aware.
        end: of it.
        asked: values by variable; what is no option is passed over, so nothing else gets into a statement.

    Raises:
        StoreError: the engine refuses or does not answer.
    """
    variables: dict[str, Chosen] = {}
    choices: list[Choice] = []
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "textbox":
            variables[name] = Chosen((variable["current"]["value"],))
        if variable["type"] != "query":
            continue
        so_far = Selection(start, end, variables)
        frame = run(client, expand(variable["query"]["rawSql"], so_far), f"variable {name}")
        options = [(str(row[0]), str(row[-1])) for row in frame.rows]
        variables[name] = _chosen(variable, [value for value, _ in options], asked.get(name, ()))
        choices.append(Choice(name, variable["label"], bool(variable["multi"]), options, variables[name]))
    return Selection(start, end, variables), choices


def _chosen(variable: Mapping[str, Any], options: Sequence[str], asked: Sequence[str]) -> Chosen:
    wanted = [value for value in asked if value in options]
    if variable["multi"]:
        return Chosen(wanted) if wanted else Chosen(options, is_all=True)
    current = variable["current"]["value"]
    usual = [current] if current in options or not options else [options[0]]
    return Chosen((wanted or usual)[:1])
