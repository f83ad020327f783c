"""Daily sums per run, by conversion day and by touch day, recomputed for dirty conversion days and swapped in whole.

Protocol. A writer marks (run, day) in ``dirty_days`` after the rows are visible, with the server's clock. The roller
reads the marks, then builds those days from ``attributions FINAL`` into a stage table by touch day, sums that into a
stage table by conversion day, swaps each day of both by ``REPLACE PARTITION``, then records the marks it read. A row
written during the build has a later mark, so its day is dirty again; a roller killed anywhere leaves marks unrecorded,
so its days are built again. Building twice gives the same rows, and the two rollups come from one read of the credits.

The stage tables are new for each pass and whoever takes over a lock drops them first: a roller that was paused for too
long cannot swap old sums over newer ones, its next statement fails. Marks compare server times, so a server clock set
back hides marks until it has caught up.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from clickhouse import queries
from clickhouse.errors import LockHeld, SinkUnavailable, StoreError
from clickhouse.locks import table_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

LOCK: Final = "rollup_lock"


@dataclass(frozen=True, slots=True)
class Freshness:
    """``as_of``: every change marked before it is in the rollups; None until the first pass. ``dirty_days`` wait."""

    as_of: datetime | None
    dirty_days: int


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

    def run_once(self) -> list[tuple[int, date]]:
        """Builds the dirty days, the active run and the newest first, at most ``days_per_pass``.

        Returns:
            The (run_id, day) pairs that were built; fewer than ``days_per_pass`` means nothing was left.

        Raises:
            LockHeld: another roller is at work.
            SinkUnavailable: ClickHouse does not answer; call again.
            SinkRejected: ClickHouse refuses; also when this roller was paused so long that another took over.
        """
        if not self._dirty(1):
            return []
        with table_lock(self._client, LOCK, stale_after_s=self._stale_after_s, wait_s=0.0):
            for left_behind in queries.run(self._client, "rollups_stages"):
                queries.execute(self._client, "lock_drop", lock=left_behind["name"])
            began_us = queries.run(self._client, "rollups_now")[0]["now_us"]
            found = self._dirty(self._days_per_pass + 1)
            dirty = found[: self._days_per_pass]
            stages = _Stages(self._client)
            try:
                stages.create()
                for run_id, days in groupby(dirty, key=lambda row: row[0]):
                    stages.swap(run_id, {day: mark_us for _, day, mark_us in days})
            finally:
                stages.drop()
            if len(found) == len(dirty):
                queries.execute(self._client, "rollups_record_pass", as_of_us=began_us)
        return [(run_id, day) for run_id, day, _ in dirty]

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
        wait: Callable[[], bool],
        on_pass: Callable[[list[tuple[int, date]]], None],
        on_trouble: Callable[[StoreError], None],
    ) -> None:
        """Passes until ``wait`` says so; what passes by itself (no answer, lock held) is reported and tried again.

        Args:
            wait: waits for the next look; True ends the loop. Called only when no more work is known.
            on_pass: told what a pass has built.
            on_trouble: told why a pass was not possible.

        Raises:
            SinkRejected: ClickHouse refuses a statement.
        """
        while True:
            built: list[tuple[int, date]] = []
            try:
                built = self.run_once()
            except (SinkUnavailable, LockHeld) as error:
                on_trouble(error)
            if built:
                on_pass(built)
            if len(built) < self._days_per_pass and wait():
                return

    def _dirty(self, limit: int) -> list[tuple[int, date, int]]:
        rows = queries.run(self._client, "rollups_dirty", limit=limit)
        return [(row["run_id"], row["day"], row["mark_us"]) for row in rows]


class _Stages:
    """The two stage tables of one pass: ``touch`` by touch day, ``day`` summed from it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._day = f"rollup_stage_{uuid.uuid4().hex}"
        self._touch = f"{self._day}_touch"

    def create(self) -> None:
        """Both, empty."""
        queries.execute(self._client, "rollups_create_stage", stage=self._day)
        queries.execute(self._client, "rollups_create_touch_stage", touch_stage=self._touch)

    def drop(self) -> None:
        """Both, if they are there."""
        for name in (self._touch, self._day):
            queries.execute(self._client, "lock_drop", lock=name)

    def swap(self, run_id: int, marks_us: dict[date, int]) -> None:
        """Builds days of a run, puts them in the place of the old ones and records from which marks they were built."""
        days = list(marks_us)
        bound: dict[str, Any] = {"run_id": run_id, "touch_stage": self._touch}
        queries.execute(self._client, "rollups_build", days=days, first=min(days), last=max(days), **bound)
        queries.execute(self._client, "rollups_sum_touch_days", stage=self._day, **bound)
        rows = queries.run(self._client, "rollups_built_days", stage=self._day, run_id=run_id)
        filled = {row["day"] for row in rows}
        for day in days:
            self._replace(run_id, day) if day in filled else self._clear(run_id, day)
        queries.execute(self._client, "rollups_record_days", run_id=run_id, days=days, marks_us=list(marks_us.values()))

    def _replace(self, run_id: int, day: date) -> None:
        for name, placeholder, stage in (
            ("rollups_replace_touch_day", "rollup_touch_stage", self._touch),
            ("rollups_replace_day", "rollup_stage", self._day),
        ):
            queries.execute(self._client, name, tables={placeholder: stage}, run_id=run_id, day=day)

    def _clear(self, run_id: int, day: date) -> None:
        for name in ("rollups_clear_touch_day", "rollups_clear_day"):
            queries.execute(self._client, name, run_id=run_id, day=day)
