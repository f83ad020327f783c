"""Daily sums per run, by conversion day and by touch day, recomputed where credits changed and swapped in whole.

Protocol. A writer marks (run, day, minute), or (run, day), in ``dirty_days`` after the rows are visible, with the
server's clock. The roller reads the marks, then sums what they name from ``attributions FINAL``: the marked minutes of
a *hot* day, whose other sums it holds (``rollup_units``), or the whole of any other day. Each day goes into a stage
table, is swapped by ``REPLACE PARTITION`` (``rollup_stages``), and then the marks that were read are recorded. A row
written during the build has a later mark, so its day is dirty again; a roller killed anywhere leaves marks unrecorded,
so its days are built again. Building twice gives the same rows.

A *full* pass swaps both sums of a day, from one read of the credits. A *quick* pass swaps only the sums by conversion
day of hot days, a tenth of the rows; those by touch day follow with the next full pass. So two marks are recorded:
``seen_mark``, up to which the sums by conversion day were built, and ``built_mark``, up to which both were for certain.

A mark is stamped before it is visible, and two writers may become visible in the other order. So a mark younger than
``GRACE_US`` when it was read is not recorded in ``built_mark``: the day is built in full once more after that time.

Marks compare server times, so a server clock set back hides marks until it has caught up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from clickhouse import queries, standing
from clickhouse.errors import LockHeld, SinkUnavailable, StoreError
from clickhouse.rollup_pace import Pace
from clickhouse.rollup_turn import Turn
from clickhouse.rollup_units import WHOLE_DAY, DayUnits

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

    from clickhouse.rollup_stages import Stages

LOCK: Final = "rollup_lock"
#: Longest time from a mark's stamp to its being visible.
GRACE_US: Final = 2_000_000
#: As many days are held in pieces: today, and yesterday around midnight or while its last events come in.
HOT_DAYS: Final = 2
#: Rows of ``rollup_pass``: what a pass has brought up to its beginning.
_BY_DAY: Final = [1]
_BOTH: Final = [1, 2]
#: More changed minutes than this are no cheaper than the day.
_MOST_UNITS: Final = 200
#: Between two records of what quick passes have brought up to date: each is a statement, and an older one stays true.
_RECORD_EVERY_US: Final = 500_000
_NEVER_US: Final = 2**62


@dataclass(frozen=True, slots=True)
class Freshness:
    """``as_of``: every change marked before it is in the rollups; None until the first pass. ``dirty_days`` wait."""

    as_of: datetime | None
    dirty_days: int


class _Dirty(NamedTuple):
    """A day with marks that are not in both of its sums; not due: it waits, for ``GRACE_US`` or for a full pass."""

    run_id: int
    day: date
    mark_us: int
    built_us: int
    seen_us: int
    #: (unit, mark), newest first, one more than ``_MOST_UNITS`` at most: see ``rollups_dirty``.
    marks: list[tuple[int, int]]
    is_due: bool

    @property
    def key(self) -> tuple[int, date]:
        return self.run_id, self.day


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
        #: Days whose sums by touch day this roller has left behind; what another one has left becomes due by itself.
        self._behind: set[tuple[int, date]] = set()
        self._is_busy = False
        self._turn: Turn | None = None
        self._recorded_us = 0

    def run_once(self, *, most_days: int | None = None, is_quick: bool = False) -> list[tuple[int, date]]:
        """Builds dirty days: the newest of the active run first, then those that were built the longest ago.

        Args:
            most_days: how many, if fewer than ``days_per_pass``.
            is_quick: only the newest day and another hot one, and of hot days the sums by conversion day alone.

        Returns:
            The (run_id, day) pairs that were built; of a full pass, fewer than the most means nothing was left.

        Raises:
            LockHeld: another roller is at work.
            SinkUnavailable: ClickHouse does not answer; call again.
            SinkRejected: ClickHouse refuses; also when this roller was paused so long that another took over.
        """
        try:
            return self._next(most_days or self._days_per_pass, is_quick=is_quick)
        finally:
            self._end_turn()

    def rebuild(self, run_id: int) -> None:
        """Marks every day of a run, for the next passes to build."""
        queries.execute(self._client, "rollups_mark_all", run_id=run_id)

    def freshness(self) -> Freshness:
        """How current the rollups of the active run are."""
        found = standing.read(partial(queries.run, self._client))
        return Freshness(found.as_of, found.dirty_days)

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
        full_every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        on_cost: Callable[[list[tuple[int, date]], float, bool], None] = lambda _built, _seconds, _is_full: None,
    ) -> None:
        """Passes until ``wait`` says so; what passes by itself (no answer, lock held) is reported and tried again.

        The lock is held from one quick pass to the next while they find something, until a full one is due.

        Args:
            wait: waits that many seconds; True ends the loop.
            on_pass: told what a pass has built.
            on_trouble: told why a pass was not possible.
            share: of the time in which passes may be at work, quick and full ones each.
            look_s: between two looks while nothing is dirty.
            full_every_s: between two full passes.
            clock: seconds, to measure passes.
            on_cost: told what a pass has built, in how many seconds, and whether it was a full one.

        Raises:
            SinkRejected: ClickHouse refuses a statement.
        """
        pace = Pace(share, look_s, full_every_s, most_days=self._days_per_pass, fewest_days=HOT_DAYS + 1)
        try:
            while True:
                built: list[tuple[int, date]] = []
                began = clock()
                is_full = pace.is_full_due(began)
                try:
                    if is_full:
                        self._end_turn()
                    built = self._next(pace.days, is_quick=not is_full)
                    if is_full or not built:
                        self._end_turn()
                except (SinkUnavailable, LockHeld) as error:
                    on_trouble(error)
                now = clock()
                cost = now - began
                if built:
                    on_pass(built)
                    on_cost(built, cost, is_full)
                if wait(pace.after_full(now, len(built), cost) if is_full else pace.after_quick(len(built), cost)):
                    return
        finally:
            self._end_turn()

    def _next(self, most: int, *, is_quick: bool) -> list[tuple[int, date]]:
        """A pass, within the turn if there is one; it is left open, but ended by a failure."""
        if not self._is_busy and not any(row.is_due for row in self._listed()[0]):
            return []
        try:
            turn = self._turn = self._turn or Turn(self._client, lock=LOCK, stale_after_s=self._stale_after_s)
            built = self._pass(turn, min(most, self._days_per_pass), is_quick=is_quick)
        except BaseException:
            self._hot.clear()
            self._end_turn()
            raise
        self._is_busy = bool(built)
        self._before = self._before.union(built) if is_quick else frozenset(built)
        return built

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end()

    def _pass(self, turn: Turn, most: int, *, is_quick: bool) -> list[tuple[int, date]]:
        """One pass under the lock."""
        began_us = turn.now_us
        listed, listed_us = self._listed()
        found = [row for row in listed if row.is_due or (row.key in self._behind and not is_quick)]
        newest = found[:HOT_DAYS]
        dirty = self._quick_ones(newest) if is_quick else _in_turn(found)[:most]
        if not dirty:
            return []
        in_both: set[tuple[int, date]] = set()
        for run_id in dict.fromkeys(row.run_id for row in dirty):
            of_run = [row for row in dirty if row.run_id == run_id]
            in_both |= self._build(turn.stages, of_run, newest, began_us - GRACE_US, is_quick=is_quick)
        self._behind = (self._behind | {row.key for row in dirty}) - in_both
        if len(found) == len(dirty) and (not is_quick or began_us >= self._recorded_us + _RECORD_EVERY_US):
            is_all = len(in_both) == len(listed)
            queries.execute(self._client, "rollups_record_pass", ids=_BOTH if is_all else _BY_DAY, as_of_us=began_us)
            self._recorded_us = began_us
        turn.stages.clear()
        turn.now_us = listed_us
        return [row.key for row in dirty]

    def _quick_ones(self, newest: list[_Dirty]) -> list[_Dirty]:
        """The newest day, and the second newest if it is held: another would be built as a whole."""
        return [row for i, row in enumerate(newest) if i == 0 or row.key in self._hot]

    def _build(
        self, stages: Stages, dirty: list[_Dirty], newest: list[_Dirty], settled_us: int, *, is_quick: bool
    ) -> set[tuple[int, date]]:
        """Days of one run: hot ones from their pieces, the others as a whole; returns those of which both sums are."""
        run_id = dirty[0].run_id
        whole: list[date] = []
        by_day_alone: set[date] = set()
        for row in dirty:
            marks_us = self._marked_minutes(row) if row in newest else None
            if marks_us is None:
                self._hot.pop(row.key, None)
                whole.append(row.day)
                continue
            has_touch = not is_quick or row.mark_us <= row.seen_us
            units = self._units(row)
            units.refresh(marks_us, settled_us=settled_us, has_touch=has_touch)
            stages.put(run_id, row.day, units.by_day(), units.by_touch_day() if has_touch else None)
            if not has_touch:
                by_day_alone.add(row.day)
        if whole:
            stages.build(run_id, whole)
        for row in dirty:
            stages.swap(run_id, row.day, has_touch=row.day not in by_day_alone)
        queries.execute(
            self._client,
            "rollups_record_days",
            run_id=run_id,
            days=[row.day for row in dirty],
            built_us=[row.built_us if row.day in by_day_alone else min(row.mark_us, settled_us) for row in dirty],
            seen_us=[row.mark_us for row in dirty],
        )
        return {row.key for row in dirty if row.day not in by_day_alone}

    def _marked_minutes(self, row: _Dirty) -> dict[int, int] | None:
        """The marks of a hot day's minutes, or None for a day to be built as a whole."""
        held = self._hot.get(row.key)
        if held is None and row.key not in self._before:
            return None
        after_us = held.read_to_us if held else row.built_us
        marks_us = {unit: mark_us for unit, mark_us in row.marks if mark_us > after_us}
        return None if WHOLE_DAY in marks_us or len(marks_us) > _MOST_UNITS else marks_us

    def _units(self, row: _Dirty) -> DayUnits:
        """The pieces of a day; those that were used the longest ago make room."""
        units = self._hot.pop(row.key, None) or DayUnits(self._client, row.run_id, row.day)
        self._hot[row.key] = units
        while len(self._hot) > HOT_DAYS:
            del self._hot[next(iter(self._hot))]
        return units

    def _listed(self) -> tuple[list[_Dirty], int]:
        """The days with marks that are not in both sums, and the server's clock; 0 when there are none."""
        rows = queries.run(
            self._client,
            "rollups_dirty",
            grace_ms=GRACE_US // 1_000,
            # another roller may have built what this one has not read
            held_us=min((units.read_to_us for units in self._hot.values()), default=_NEVER_US),
            most_marks=_MOST_UNITS + 1,
        )
        now_us = rows[0]["now_us"] if rows else 0
        return [_Dirty(**{name: row[name] for name in _Dirty._fields}) for row in rows], now_us


def _in_turn(found: list[_Dirty]) -> list[_Dirty]:
    """The newest days first, then those built the longest ago, so that days that change all the time starve nobody."""
    newest, others = found[:HOT_DAYS], found[HOT_DAYS:]
    return [*newest, *sorted(others, key=lambda row: row.built_us)]
