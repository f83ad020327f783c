"""The stage tables of a turn of the roller: days are built beside the rollups and swapped in whole.

A reader sees each day as it was or as it is, never in between: ``REPLACE PARTITION`` is one step. The stage tables
have new names in each turn (``rollup_turn``), and whoever takes over the lock drops them first; so a roller that was
paused for too long cannot swap old sums over newer ones, its next statement fails.

Raises like ``clickhouse.queries``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse import queries
from clickhouse.errors import translate

if TYPE_CHECKING:
    from datetime import date

    from clickhouse_connect.driver.client import Client


class Stages:
    """Two tables, by conversion day and by touch day; a day may be in the first alone."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._day = f"rollup_stage_{uuid.uuid4().hex}"
        self._touch = f"{self._day}_touch"
        self._has_touch = False
        self._filled: set[tuple[int, date]] = set()

    def create(self) -> None:
        """The one by conversion day, empty; the other comes with its first rows."""
        queries.execute(self._client, "rollups_create_stage", stage=self._day)

    def drop(self) -> None:
        """Both, if they are there."""
        if self._has_touch:
            queries.execute(self._client, "lock_drop", lock=self._touch)
        queries.execute(self._client, "lock_drop", lock=self._day)

    def clear(self) -> None:
        """Empties them for the next pass."""
        if self._has_touch:
            queries.execute(self._client, "lock_drop", lock=self._touch)
            self._has_touch = False
        if self._filled:
            queries.execute(self._client, "rollups_clear_stage", stage=self._day)
            self._filled.clear()

    def build(self, run_id: int, days: list[date]) -> None:
        """Days of a run from all of their credits, for both rollups."""
        self._create_touch()
        queries.execute(
            self._client,
            "rollups_build",
            days=days,
            first=min(days),
            last=max(days),
            run_id=run_id,
            touch_stage=self._touch,
        )
        queries.execute(
            self._client,
            "rollups_sum_touch_days",
            stage=self._day,
            touch_stage=self._touch,
            run_id=run_id,
            days=days,
        )
        rows = queries.run(self._client, "rollups_built_days", stage=self._day, run_id=run_id, days=days)
        self._filled.update((run_id, row["day"]) for row in rows)

    def put(self, run_id: int, day: date, by_day: pa.Table, by_touch_day: pa.Table | None) -> None:
        """A day of a run whose sums are known; None: those by touch day are left as they are."""
        if not by_day.num_rows:
            return
        self._filled.add((run_id, day))
        self._insert(self._day, run_id, day, by_day)
        if by_touch_day is not None:
            self._create_touch()
            self._insert(self._touch, run_id, day, by_touch_day)

    def swap(self, run_id: int, day: date, *, has_touch: bool) -> None:
        """Puts a day of a run in the place of the old one, where ``has_touch`` says so in both rollups."""
        is_filled = (run_id, day) in self._filled
        if has_touch:
            self._replace("touch_day", self._touch, run_id, day) if is_filled else self._clear("touch_day", run_id, day)
        self._replace("day", self._day, run_id, day) if is_filled else self._clear("day", run_id, day)

    def _create_touch(self) -> None:
        if not self._has_touch:
            self._has_touch = True
            queries.execute(self._client, "rollups_create_touch_stage", touch_stage=self._touch)

    def _insert(self, stage: str, run_id: int, day: date, sums: pa.Table) -> None:
        n = sums.num_rows
        table = sums.append_column("run_id", pa.array([run_id] * n, pa.uint32()))
        table = table.append_column("day", pa.array([day] * n, pa.date32()))
        if "touch_day" in sums.column_names:
            table = table.set_column(0, "touch_day", table.column("touch_day").cast(pa.date32()))
        try:
            self._client.insert_arrow(stage, table)
        except ClickHouseError as error:
            raise translate(error, f"insert into {stage}") from error

    def _replace(self, what: str, stage: str, run_id: int, day: date) -> None:
        placeholder = "rollup_touch_stage" if what == "touch_day" else "rollup_stage"
        queries.execute(self._client, f"rollups_replace_{what}", tables={placeholder: stage}, run_id=run_id, day=day)

    def _clear(self, what: str, run_id: int, day: date) -> None:
        queries.execute(self._client, f"rollups_clear_{what}", run_id=run_id, day=day)
