"""From the rows of a file to lift tests; what is wrong with a row is collected, not raised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from math import isfinite
from typing import Any, Final

from cli.rows import BadRow
from datadriven.lift import Experiment
from schemas.lines import Line

COLUMNS: Final = ("channel", "start_date", "end_date", "incremental_conversions", "standard_error")


def read(where: str, lines: Iterable[Line]) -> tuple[list[Experiment], list[BadRow]]:
    """Tests, and what is wrong with the other rows."""
    found: list[Experiment] = []
    bad: list[BadRow] = []
    for number, row in lines:
        if isinstance(row, str):
            bad.append(BadRow(where, number, "", "", row))
            continue
        try:
            found.append(_experiment(row))
        except _WrongError as error:
            bad.append(BadRow(where, number, error.field, error.value, error.reason))
    return found, bad


class _WrongError(Exception):
    def __init__(self, field: str, value: Any, reason: str) -> None:
        self.field, self.value, self.reason = field, str(value), reason


def _experiment(row: Mapping[str, object]) -> Experiment:
    channel = str(row.get("channel") or "").strip()
    if not channel:
        raise _WrongError("channel", "", "is missing")
    start, end = _day(row, "start_date"), _day(row, "end_date")
    if start > end:
        raise _WrongError("start_date", start, f"is after end_date {end}")
    error = _number(row, "standard_error")
    if error <= 0:
        raise _WrongError("standard_error", error, "must be above 0: the error of the estimate, in conversions")
    return Experiment(channel, start, end, _number(row, "incremental_conversions"), error)


def _day(row: Mapping[str, object], field: str) -> date:
    value = row.get(field)
    try:
        return date.fromisoformat(str(value or ""))
    except ValueError:
        raise _WrongError(field, value or "", "give a day such as 2026-11-24") from None


def _number(row: Mapping[str, object], field: str) -> float:
    value = row.get(field)
    try:
        found = float(str(value))
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        raise _WrongError(field, "" if value is None else value, "give a number")
    return found
