"""Answers of panels: the statement expanded, executed, and brought into the form that Grafana draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from clickhouse.statement import ask as ask_engine
from dashboards.macros import Selection, expand, expand_backend

#: Widths of time buckets, seconds, that Grafana rounds to.
_INTERVALS: Final = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_200,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
)
Plain = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """A table: names and types of its columns, and its rows."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    def column(self, name: str) -> list[Any]:
        """The values of a column.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self.names:
            raise KeyError(f"column {name!r}: the query gives {', '.join(self.names)}")
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def records(self) -> Iterator[dict[str, Any]]:
        """Rows as dictionaries."""
        return (dict(zip(self.names, row, strict=True)) for row in self.rows)


def ask(client: Any, panel: Plain, selection: Selection) -> Frame:
    """The answer to a panel's query.

    Raises:
        MacroError: its SQL cannot be expanded.
        StoreError: the engine refuses or does not answer.
    """
    most = panel.get("maxDataPoints") or 1_000
    bucketed = Selection(selection.start, selection.end, selection.variables, interval_s(selection, most))
    return run(client, expand(panel["targets"][0]["rawSql"], bucketed), f"panel {panel['title']!r}")


def ask_alert(client: Any, sql: str, start: datetime, end: datetime) -> Frame:
    """The answer to an alert's query over a time range; raises like ``ask``."""
    return run(client, expand_backend(sql, Selection(start, end)), "alert rule")


def run(client: Any, statement: str, what: str) -> Frame:
    """The answer to a statement without macros.

    Raises:
        StoreError: the engine refuses or does not answer.
    """
    return Frame(*ask_engine(client, statement, what))


def interval_s(selection: Selection, most: int) -> int:
    """The width of the time buckets of a panel that wants at most so many."""
    wanted = (selection.end - selection.start).total_seconds() / most
    return next((width for width in _INTERVALS if width >= wanted), _INTERVALS[-1])


def series(frame: Frame) -> dict[str, list[tuple[datetime, float | None]]]:
    """A frame as lines over time, by name: each text of the text column, or each number column.

    Raises:
        KeyError: it has no column ``time``.
    """
    times = frame.column("time")
    texts = [n for n, kind in zip(frame.names, frame.types, strict=True) if "String" in kind]
    numbers = [n for n in frame.names if n != "time" and n not in texts]
    if not texts:
        return {name: list(zip(times, frame.column(name), strict=True)) for name in numbers}
    found: dict[str, list[tuple[datetime, float | None]]] = {}
    for at, name, value in zip(times, frame.column(texts[0]), frame.column(numbers[0]), strict=True):
        found.setdefault(name, []).append((at, value))
    return found


def transformed(frame: Frame, transformations: Sequence[Plain]) -> Frame:
    """After the panel's transformations.

    Raises:
        ValueError: one that is not known here.
    """
    for step in transformations:
        if step["id"] != "groupingToMatrix":
            raise ValueError(f"transformation {step['id']!r} is not known here")
        frame = _matrix(frame, step["options"])
    return frame


def _matrix(frame: Frame, options: Plain) -> Frame:
    of_row, of_column, of_value = (frame.column(options[k]) for k in ("rowField", "columnField", "valueField"))
    columns = list(dict.fromkeys(of_column))
    cells = {(row, column): value for row, column, value in zip(of_row, of_column, of_value, strict=True)}
    rows = [[row, *(cells.get((row, column), 0) for column in columns)] for row in dict.fromkeys(of_row)]
    names = (f"{options['rowField']}\\{options['columnField']}", *columns)
    return Frame(names, ("String", *["Float64"] * len(columns)), rows)
