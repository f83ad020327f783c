"""Daily sums of paths, built for whole days in the background; reports over paths read them for the days they hold.

Protocol. The marks in ``dirty_days`` are those of ``rollups``. A day is built when its newest mark is older than
``GRACE_US``, so all that was marked before is visible: into a stage table, swapped in by ``REPLACE PARTITION``, and
then the mark is recorded in ``path_state``. A row written during the build has a later mark; a builder killed anywhere
has recorded nothing. In both cases the day is built again, and building twice gives the same rows.

A reader asks ``current`` first: days without a mark newer than the recorded one. Those it reads from ``rollup_paths``,
all others from the conversions themselves (the view ``conversion_paths``, of which the sums are made). A day that is
swapped between the two is newer than it asked for, never older. So days that change all the time are never worth
building, and a day is built at most every ``AGAIN_US``.

This has a lock of its own and takes turns with nothing: a day of many conversions takes seconds, and the sums of
``rollups`` do not wait for it.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple

from clickhouse import queries
from clickhouse.errors import LockHeld, SinkUnavailable, StoreError
from clickhouse.locks import table_lock
from clickhouse.rollups import GRACE_US

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from clickhouse_connect.driver.client import Client

    from clickhouse.standing import Run

LOCK: Final = "path_lock"
#: Of what is in ``rollup_paths``: with another number every day is built again, and is not read until it is.
FORMAT: Final = 1
#: Least time between two builds of a day.
AGAIN_US: Final = 60_000_000
#: Age at which a killed builder's lock is taken over; longer than a day takes to build.
STALE_AFTER_S: Final = 600
#: The stage table, in ``path_sums_replace_day``.
_STAGE: Final = "path_stage"


class Built(NamedTuple):
    """A day of a run that was built, and how many others were due."""

    run_id: int
    day: date
    waiting: int


def current(run: Run, run_id: int, start: date, end: date) -> dict[date, int]:
    """Days of a run whose path sums hold all that was marked, and when each was built, in microseconds since the epoch.

    What is read of these days by several statements is of one build if the answer is the same before and after them.
    """
    rows = run("path_sums_current", run_id=run_id, start=start, end=end, format=FORMAT)
    return {row["day"]: row["built_us"] for row in rows}


class PathRoller:
    """Builds path sums, a day at a time. One per database works at a time; a second one finds the lock held.

    Args:
        client: the database.
        again_us: least time between two builds of a day, microseconds.
        stale_after_s: age at which a killed builder's lock is taken over.
    """

    def __init__(self, client: Client, *, again_us: int = AGAIN_US, stale_after_s: int = STALE_AFTER_S) -> None:
        self._client = client
        self._again_us = again_us
        self._stale_after_s = stale_after_s

    def run_once(self) -> Built | None:
        """Builds the day that waits most; None when none is due.

        Raises:
            LockHeld: another builder is at work.
            SinkUnavailable: ClickHouse does not answer; call again.
            SinkRejected: ClickHouse refuses; also when this one was paused so long that another took over.
        """
        if not self._due():
            return None
        with table_lock(self._client, LOCK, stale_after_s=self._stale_after_s, wait_s=0.0):
            due = self._due()
            if not due:
                return None
            run_id, day, mark_us = due[0]
            self._build(run_id, day)
            queries.execute(self._client, "path_sums_record", run_id=run_id, day=day, format=FORMAT, mark_us=mark_us)
        return Built(run_id, day, len(due) - 1)

    def drain(self, on_built: Callable[[Built], None] = lambda _: None) -> int:
        """Builds until no day is due; returns how many were built. Raises like ``run_once``."""
        count = 0
        while (built := self.run_once()) is not None:
            on_built(built)
            count += 1
        return count

    def run_forever(
        self,
        *,
        wait: Callable[[float], bool],
        on_built: Callable[[Built], None],
        on_trouble: Callable[[StoreError], None],
        share: float = 0.2,
        look_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Builds until ``wait`` says so; what passes by itself (no answer, lock held) is reported and tried again.

        Args:
            wait: waits that many seconds; True ends the loop.
            on_built: told of each day that was built.
            on_trouble: told why a build was not possible.
            share: of the time in which builds may be at work.
            look_s: between two looks while no day is due.
            clock: seconds, to measure builds.

        Raises:
            SinkRejected: ClickHouse refuses a statement.
        """
        pause_s = 0.0
        while not wait(pause_s):
            began, pause_s = clock(), look_s
            try:
                built = self.run_once()
            except (SinkUnavailable, LockHeld) as error:
                on_trouble(error)
                continue
            if built is not None:
                on_built(built)
                pause_s = (clock() - began) * (1 / share - 1)

    def _due(self) -> list[tuple[int, date, int]]:
        bound = {"format": FORMAT, "grace_ms": GRACE_US // 1_000, "again_ms": self._again_us // 1_000}
        rows = queries.run(self._client, "path_sums_due", **bound)
        return [(row["run_id"], row["day"], row["mark_us"]) for row in rows]

    def _build(self, run_id: int, day: date) -> None:
        """Under the lock: whoever takes it over drops the stage first, so old sums cannot be swapped in late."""
        for row in queries.run(self._client, "path_sums_stages"):
            queries.execute(self._client, "lock_drop", lock=row["name"])
        stage = f"{_STAGE}_{uuid.uuid4().hex}"
        queries.execute(self._client, "path_sums_create_stage", stage=stage)
        try:
            for by_campaign in (0, 1):
                queries.execute(
                    self._client, "path_sums_add_paths", stage=stage, run_id=run_id, day=day, by_campaign=by_campaign
                )
            queries.execute(self._client, "path_sums_add_others", stage=stage, run_id=run_id, day=day)
            if queries.run(self._client, "path_sums_has_rows", stage=stage)[0]["has_rows"]:
                queries.execute(self._client, "path_sums_merge_stage", stage=stage)
                queries.execute(self._client, "path_sums_replace_day", tables={_STAGE: stage}, run_id=run_id, day=day)
            else:
                queries.execute(self._client, "path_sums_clear_day", run_id=run_id, day=day)
        finally:
            queries.execute(self._client, "lock_drop", lock=stage)
