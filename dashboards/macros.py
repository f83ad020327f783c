"""What Grafana does to a panel's SQL before the engine sees it: template variables and the ClickHouse plugin's macros.

Follows plugin 4.20: first ``$__conditionalAll``, then variables (both in the browser), then the macros of its backend.
Only what the dashboards use is here; anything else that begins with ``$`` is an error, where Grafana would pass it on.
Alert rules run in the backend only: ``expand_backend``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

_CONDITIONAL: Final = "$__conditionalAll("
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)")
_NAME: Final = re.compile(r"(?<=\$\{)\w+(?=\})|(?<=\$)\w+")
_MACRO: Final = re.compile(r"\$__(\w+)")
_DURATION: Final = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class MacroError(ValueError):
    """SQL that Grafana could not expand, or would send to the engine unexpanded; says what and where."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is selected in a variable: some values; or all, which is each of the options."""

    values: Sequence[str]
    is_all: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What a viewer has chosen. Times are aware; ``interval_s`` is the width of a time bucket, at least a second."""

    start: datetime
    end: datetime
    variables: Mapping[str, Chosen] = field(default_factory=dict)
    interval_s: int = 60


def expand(sql: str, selection: Selection) -> str:
    """The statement that the engine gets for a panel.

    Raises:
        MacroError: an unknown variable, format or macro, or wrong arguments.
    """
    return expand_backend(_interpolated(_conditions(sql, selection), selection), selection)


def expand_backend(sql: str, selection: Selection) -> str:
    """The statement that the engine gets for an alert rule, where no variable exists.

    Raises:
        MacroError: an unknown macro, a variable, or wrong arguments.
    """
    while (found := _last_macro(sql)) is not None:
        begin, name, behind = found
        macro = _MACROS.get(name)
        if macro is None:
            raise MacroError(f"$__{name}: no macro of the ClickHouse plugin that is known here: {', '.join(_MACROS)}")
        arguments: list[str] = []
        if sql[behind : behind + 1] == "(":
            arguments, behind = _arguments(sql, behind)
        sql = sql[:begin] + macro(selection, arguments) + sql[behind:]
    if left := _VARIABLE.search(sql):
        raise MacroError(f"{left[0]}: variables do not exist here")
    return sql


def used_variables(sql: str) -> set[str]:
    """Names of the variables in a statement."""
    return {braced or bare for braced, _, bare in _VARIABLE.findall(sql)}


def quoted(values: Sequence[str]) -> str:
    """Grafana's format ``sqlstring``, with backslashes doubled as well: the engine reads them as escapes."""
    return ",".join("'" + value.replace("\\", "\\\\").replace("'", "''") + "'" for value in values)


def _conditions(sql: str, selection: Selection) -> str:
    """``$__conditionalAll(condition, $variable)`` is the condition, or ``1=1`` while the variable stands at All."""
    while (begin := sql.rfind(_CONDITIONAL)) >= 0:
        arguments, behind = _arguments(sql, begin + len(_CONDITIONAL) - 1)
        name = _NAME.search(arguments[1]) if len(arguments) == 2 else None
        if name is None:
            raise MacroError(f"{sql[begin:behind]}: give a condition and a $variable")
        chosen = _chosen(name[0], selection)
        is_open = chosen.is_all or list(chosen.values) == [""]
        sql = sql[:begin] + ("1=1" if is_open else arguments[0]) + sql[behind:]
    return sql


def _interpolated(sql: str, selection: Selection) -> str:
    def value(found: re.Match[str]) -> str:
        chosen = _chosen(found[1] or found[3], selection)
        if found[2] != "sqlstring":
            raise MacroError(f"{found[0]}: write ${{{found[1] or found[3]}:sqlstring}}, which quotes the value")
        return quoted(chosen.values)

    return _VARIABLE.sub(value, sql)


def _chosen(name: str, selection: Selection) -> Chosen:
    if name not in selection.variables:
        raise MacroError(f"${name}: no such variable; there are: {', '.join(selection.variables)}")
    return selection.variables[name]


def _last_macro(sql: str) -> tuple[int, str, int] | None:
    """Beginning, name and end of the name of the last one: arguments may hold macros, and those come first."""
    found = list(_MACRO.finditer(sql))
    return (found[-1].start(), found[-1][1], found[-1].end()) if found else None


def _arguments(sql: str, begin: int) -> tuple[list[str], int]:
    """The arguments in the brackets that open at ``begin``, and where the text goes on behind them."""
    depth, last, found = 0, begin + 1, []
    for place in range(begin, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0 or (depth == 1 and sql[place] == ","):
            found.append(sql[last:place].strip())
            last = place + 1
        if depth == 0:
            return [argument for argument in found if argument], last
    raise MacroError(f"{sql[begin : begin + 40]}…: a bracket is not closed")


def _seconds(at: datetime) -> str:
    return f"toDateTime({int(at.timestamp())})"


def _milliseconds(at: datetime) -> str:
    return f"fromUnixTimestamp64Milli({round(at.timestamp() * 1000)})"


def _day(at: datetime) -> str:
    return f"toDate('{at.astimezone(UTC):%Y-%m-%d}')"


def _between(bound: Callable[[datetime], str]) -> Callable[[Selection, list[str]], str]:
    def expanded(selection: Selection, arguments: list[str]) -> str:
        (column,) = _exactly(1, arguments)
        return f"{column} >= {bound(selection.start)} AND {column} <= {bound(selection.end)}"

    return expanded


def _constant(value: Callable[[Selection], str]) -> Callable[[Selection, list[str]], str]:
    return lambda selection, _: value(selection)


def _compared(sign: str, of: Callable[[Selection], datetime]) -> Callable[[Selection, list[str]], str]:
    return lambda selection, arguments: f"{_exactly(1, arguments)[0]} {sign} {_seconds(of(selection))}"


def _bucket(selection: Selection, arguments: list[str]) -> str:
    (column,) = _exactly(1, arguments)
    return f"toStartOfInterval(toDateTime({column}), INTERVAL {selection.interval_s} second)"


def _group(_: Selection, arguments: list[str]) -> str:
    column, period = _exactly(2, arguments)
    found = _DURATION.fullmatch(period.strip("'\""))
    if found is None:
        raise MacroError(f"$__timeGroup: {period!r} is no duration like 5m")
    return f"toStartOfInterval(toDateTime({column}), INTERVAL {int(found[1]) * _SECONDS[found[2]]} second)"


def _exactly(count: int, arguments: list[str]) -> list[str]:
    if len(arguments) != count:
        raise MacroError(f"({', '.join(arguments)}): {count} arguments wanted")
    return arguments


_MACROS: Final[Mapping[str, Callable[[Selection, list[str]], str]]] = {
    "timeFilter": _between(_seconds),
    "timeFilter_ms": _between(_milliseconds),
    "dateFilter": _between(_day),
    "fromTime": _constant(lambda s: _seconds(s.start)),
    "toTime": _constant(lambda s: _seconds(s.end)),
    "fromTime_ms": _constant(lambda s: _milliseconds(s.start)),
    "toTime_ms": _constant(lambda s: _milliseconds(s.end)),
    "timeFrom": _compared(">=", lambda s: s.start),
    "timeTo": _compared("<=", lambda s: s.end),
    "timeInterval": _bucket,
    "timeGroup": _group,
    "interval_s": _constant(lambda s: str(s.interval_s)),
}
