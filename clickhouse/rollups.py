"""Daily sums per run, by conversion day and by touch day, recomputed where credits changed and swapped in whole.

Protocol. A writer marks (run, day, minute), or (run, day), in ``dirty_days`` after the rows are visible, with the
server's clock. The roller reads the marks, then sums what they name from ``attributions FINAL``: the marked minutes of
a *hot* day, whose other sums it holds (``rollup_units``), or the whole of any other day. Each day goes into a stage
table, is swapped by ``REPLACE PARTITION`` (``rollup_stages``), and then the marks that were read are recorded. A row
written during the build has a later mark, so its day is dirty again; a roller killed anywhere leaves marks unrecorded,
so its days are built again. Building twice gives the same rows, and both rollups come from one read of the credits.

A mark is stamped before it is visible, and two writers may become visible in the other order. So a mark younger than
``GRACE_US`` when it was read is not recorded as the last word: the day is built once more after that time.

Marks compare server times, so a server clock set back hides marks until it has caught up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from clickhouse import queries
from clickhouse.errors import LockHeld, SinkUnavailable, StoreError
from clickhouse.locks import table_lock
from clickhouse.rollup_pace import Pace
from clickhouse.rollup_stages import Stages
from clickhouse.rollup_units import WHOLE_DAY, DayUnits

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

LOCK: Final = "rollup_lock"
#: Longest time from a mark's stamp to its being visible.
GRACE_US: Final = 2_000_000
#: As many days are held in pieces: today, and yesterday around midnight or while its last events come in.
HOT_DAYS: Final = 2
_ALL: Final = 1_000_000
#: More changed minutes than this are no cheaper than the day.
_MOST_UNITS: Final = 200


@dataclass(frozen=True, slots=True)
class Freshness:
    """``as_of``: every change marked before it is in the rollups; None until the first pass. ``dirty_days`` wait."""

    as_of: datetime | None
    dirty_days: int


class _Dirty(NamedTuple):
    run_id: int
    day: date
    mark_us: int
    built_us: int


class Roller:
    """Recomputes dirty days. One roller per database works at a time; a second one finds the lock held.

    Args:
        client: the database.
        days_per_pass: most days built by one ``run_once``; the lock is held that long.
        stale_after_s: age at which a killed roller's lock is taken over.
    """

    def __init__(self, client: Client, *, days_per_pass: int = 32, stale_after_s: int = 60) -> None:
        if days_per_pass < 1:
            raise ValueError(f"days_per_pass: {days_per_pass} is below 1; give for instance 32")
        self._client = client
        self._days_per_pass = days_per_pass
        self._stale_after_s = stale_after_s
        self._hot: dict[tuple[int, date], DayUnits] = {}
        self._before: frozenset[tuple[int, date]] = frozenset()

    def run_once(self, *, most_days: int | None = None) -> list[tuple[int, date]]:
        """Builds dirty days: the newest of the active run first, then those that were built the longest ago.

        Args:
            most_days: how many, if fewer than ``days_per_pass``.

        Returns:
            The (run_id, day) pairs that were built; fewer than the most means nothing was left.

        Raises:
            LockHeld: another roller is at work.
            SinkUnavailable: ClickHouse does not answer; call again.
            SinkRejected: ClickHouse refuses; also when this roller was paused so long that another took over.
        """
        most = min(most_days or self._days_per_pass, self._days_per_pass)
        if not self._dirty(1):
            return []
        with table_lock(self._client, LOCK, stale_after_s=self._stale_after_s, wait_s=0.0):
            for left_behind in queries.run(self._client, "rollups_stages"):
                queries.execute(self._client, "lock_drop", lock=left_behind["name"])
            began_us = queries.run(self._client, "rollups_now")[0]["now_us"]
            found = self._dirty(_ALL)
            newest = found[:HOT_DAYS]
            dirty = _in_turn(found)[:most]
            stages = Stages(self._client)
            try:
                stages.create()
                for run_id in dict.fromkeys(row.run_id for row in dirty):
                    of_run = [row for row in dirty if row.run_id == run_id]
                    self._build(stages, of_run, newest, began_us - GRACE_US)
            except BaseException:
                self._hot.clear()
                raise
            finally:
                stages.drop()
            if len(found) == len(dirty):
                queries.execute(self._client, "rollups_record_pass", as_of_us=began_us)
        built = [(row.run_id, row.day) for row in dirty]
        self._before = frozenset(built)
        return built

    def rebuild(self, run_id: int) -> None:
        """Marks every day of a run, for the next passes to build."""
        queries.execute(self._client, "rollups_mark_all", run_id=run_id)

    def freshness(self) -> Freshness:
        """How current the rollups of the active run are."""
        meta = queries.run(self._client, "meta")[0]
        return Freshness(meta["as_of"], meta["dirty_days"])

    def drain(self) -> list[tuple[int, date]]:
        """Passes until one finds less than it may build; returns all that was built. Raises like ``run_once``."""
        built: list[tuple[int, date]] = []
        while True:
            found = self.run_once()
            built += found
            if len(found) < self._days_per_pass:
                return built

    def run_forever(
        self,
        *,
        wait: Callable[[float], bool],
        on_pass: Callable[[list[tuple[int, date]]], None],
        on_trouble: Callable[[StoreError], None],
        share: float = 0.2,
        look_s: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Passes until ``wait`` says so; what passes by itself (no answer, lock held) is reported and tried again.

        Args:
            wait: waits that many seconds; True ends the loop.
            on_pass: told what a pass has built.
            on_trouble: told why a pass was not possible.
            share: of the time in which passes may be at work.
            look_s: between two looks while nothing is dirty.
            clock: seconds, to measure passes.

        Raises:
            SinkRejected: ClickHouse refuses a statement.
        """
        pace = Pace(share, look_s, most_days=self._days_per_pass, fewest_days=HOT_DAYS + 1)
        while True:
            built: list[tuple[int, date]] = []
            began = clock()
            try:
                built = self.run_once(most_days=pace.days)
            except (SinkUnavailable, LockHeld) as error:
                on_trouble(error)
            if built:
                on_pass(built)
            if wait(pace.after(len(built), clock() - began)):
                return

    def _build(self, stages: Stages, dirty: list[_Dirty], newest: list[_Dirty], settled_us: int) -> None:
        """Days of one run: hot ones from their pieces, the others as a whole."""
        run_id = dirty[0].run_id
        whole: list[date] = []
        for row in dirty:
            marks_us = self._marked_minutes(row) if row in newest else None
            if marks_us is None:
                self._hot.pop((run_id, row.day), None)
                whole.append(row.day)
            else:
                stages.put(run_id, row.day, self._units(row).refresh(marks_us, settled_us=settled_us))
        if whole:
            stages.build(run_id, whole)
        stages.swap(run_id, {row.day: row.mark_us for row in dirty}, settled_us=settled_us)

    def _marked_minutes(self, row: _Dirty) -> dict[int, int] | None:
        """The marks of a hot day's minutes, or None for a day to be built as a whole."""
        key = (row.run_id, row.day)
        held = self._hot.get(key)
        if held is None and key not in self._before:
            return None
        rows = queries.run(
            self._client,
            "rollups_marks",
            run_id=row.run_id,
            day=row.day,
            after_us=held.read_to_us if held else row.built_us,
        )
        marks_us = {mark["unit"]: mark["mark_us"] for mark in rows}
        return None if WHOLE_DAY in marks_us or len(marks_us) > _MOST_UNITS else marks_us

    def _units(self, row: _Dirty) -> DayUnits:
        """The pieces of a day; those that were used the longest ago make room."""
        key = (row.run_id, row.day)
        units = self._hot.pop(key, None) or DayUnits(self._client, row.run_id, row.day)
        self._hot[key] = units
        while len(self._hot) > HOT_DAYS:
            del self._hot[next(iter(self._hot))]
        return units

    def _dirty(self, limit: int) -> list[_Dirty]:
        rows = queries.run(self._client, "rollups_dirty", limit=limit, grace_ms=GRACE_US // 1_000)
        return [_Dirty(row["run_id"], row["day"], row["mark_us"], row["built_us"]) for row in rows]


def _in_turn(found: list[_Dirty]) -> list[_Dirty]:
    """The newest days first, then those built the longest ago, so that days that change all the time starve nobody."""
    newest, others = found[:HOT_DAYS], found[HOT_DAYS:]
    return [*newest, *sorted(others, key=lambda row: row.built_us)]
