"""Daily sums per run, recomputed for dirty days and swapped in whole.

Protocol. A writer marks (run, day) in ``dirty_days`` after the rows are visible, with the server's clock. The roller
reads the marks, then builds those days from ``attributions FINAL`` into a stage table, swaps each day by ``REPLACE
PARTITION``, then records the marks it read. A row written during the build has a later mark, so its day is dirty again;
a roller killed anywhere leaves marks unrecorded, so its days are built again. Building twice gives the same rows.

The stage table is new for each pass and whoever takes over a lock drops it first: a roller that was paused for too long
cannot swap old sums over newer ones, its next statement fails. Marks compare server times, so a server clock set back
hides marks until it has caught up.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

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
            stage = f"rollup_stage_{uuid.uuid4().hex}"
            queries.execute(self._client, "rollups_create_stage", stage=stage)
            try:
                for run_id, days in groupby(dirty, key=lambda row: row[0]):
                    self._build(stage, run_id, {day: mark_us for _, day, mark_us in days})
            finally:
                queries.execute(self._client, "lock_drop", lock=stage)
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

    def _build(self, stage: str, run_id: int, marks_us: dict[date, int]) -> None:
        days = list(marks_us)
        queries.execute(
            self._client, "rollups_build", stage=stage, run_id=run_id, days=days, first=min(days), last=max(days)
        )
        filled = {row["day"] for row in queries.run(self._client, "rollups_built_days", stage=stage, run_id=run_id)}
        for day in days:
            if day in filled:
                queries.execute(
                    self._client, "rollups_replace_day", tables={"rollup_stage": stage}, run_id=run_id, day=day
                )
            else:
                queries.execute(self._client, "rollups_clear_day", run_id=run_id, day=day)
        queries.execute(self._client, "rollups_record_days", run_id=run_id, days=days, marks_us=list(marks_us.values()))
