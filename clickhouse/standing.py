"""What all numbers stand on, read in one statement: the active run, how fresh its sums are, and what reports read.

``Standing.builds``, ``rates`` and ``spend`` are states: where one is equal to an earlier one, what was read under the
earlier one is still right. A merge may change ``rates`` and ``spend`` without a change of what they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attribution.times import from_us
from clickhouse.errors import SinkRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Runs a named query, as ``queries.run`` with its client.
Run: TypeAlias = "Callable[..., list[dict[str, Any]]]"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: A partition without news for longer does not hold the watermark back.
_MOVING_US: Final = 60_000_000
_BY_DAY, _BY_TOUCH_DAY = "1", "2"
_TIME, _ACTIVE, _RUNS, _PROGRESS, _PASS, _DIRTY, _BUILT, _SPEND, _RATES = range(1, 10)


@dataclass(frozen=True, slots=True)
class Standing:
    """As of one moment.

    Attributes:
        run_id: the active run.
        config_hash: of its parameters; ``""`` before it has any.
        as_of: every change marked before it is in the sums by conversion day; None until they were built once.
        touch_as_of: the same for those by touch day.
        watermark: event time up to which all partitions that move were read; None before the first event.
        dirty_days: days of the run that wait to be built.
        builds: the days of the run that were built, with a state each.
        rates: state of the exchange rates.
        spend: state of spend.
    """

    run_id: int
    config_hash: str
    as_of: datetime | None
    touch_as_of: datetime | None
    watermark: datetime | None
    dirty_days: int
    builds: dict[date, tuple[int, ...]]
    rates: tuple[int, ...]
    spend: tuple[int, ...]


def read(run: Run) -> Standing:
    """As new as the engine when the call began.

    Raises:
        SinkRejected: there is no active run.
        SinkUnavailable: the engine does not answer.
    """
    return of(run("standing"))


def host_of(rows: Sequence[dict[str, Any]]) -> str:
    """The server that has given these rows."""
    return next((row["text"] for row in rows if row["part"] == _TIME), "")


def of(rows: Sequence[dict[str, Any]], *, now_us: int | None = None) -> Standing:
    """What rows of ``standing.sql`` say, as of ``now_us`` if nothing was written since they were read.

    Raises:
        SinkRejected: there is no active run.
    """
    parts: dict[int, list[dict[str, Any]]] = {part: [] for part in range(_TIME, _RATES + 1)}
    for row in rows:
        parts[row["part"]].append(row)
    if not parts[_ACTIVE]:
        raise SinkRejected("there is no active run; run: attribution migrate")
    run_id: int = max(parts[_ACTIVE], key=lambda row: (row["a"], row["run_id"]))["run_id"]
    of_run = {part: [row for row in rows if row["run_id"] == run_id] for part, rows in parts.items()}
    now_us = parts[_TIME][0]["a"] if now_us is None else now_us
    marks = {row["day"]: row["a"] for row in of_run[_DIRTY]}
    built = {row["day"]: row for row in of_run[_BUILT]}
    passes = {row["name"]: row["latest"] for row in parts[_PASS]}
    waits = sum(mark > (built[day]["a"] if day in built else 0) for day, mark in marks.items())
    waits_by_touch = sum(mark > (built[day]["b"] if day in built else 0) for day, mark in marks.items())

    def as_of(waiting: int, name: str) -> datetime | None:
        # while nothing waits the sums are as good as now
        return _at(now_us if not waiting and parts[_BUILT] else passes.get(name, 0))

    return Standing(
        run_id,
        "".join(row["text"] for row in of_run[_RUNS]),
        as_of(waits, _BY_DAY),
        as_of(waits_by_touch, _BY_TOUCH_DAY),
        _at(_watermark_us(of_run[_PROGRESS])),
        waits,
        {day: (row["a"], row["b"], row["c"]) for day, row in built.items()},
        _total(parts[_RATES]),
        _total(parts[_SPEND]),
    )


def _watermark_us(progress: Sequence[dict[str, Any]]) -> int:
    newest = max((row["a"] for row in progress), default=0)
    moving = (row["latest"] for row in progress if row["latest"] > 0 and row["a"] >= newest - _MOVING_US)
    return min(moving, default=0)


def _total(rows: Sequence[dict[str, Any]]) -> tuple[int, ...]:
    return tuple(number for row in rows for number in (row["total"], row["rows"]))


def _at(us: int) -> datetime | None:
    return from_us(us) if us else None
