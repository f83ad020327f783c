"""The stage tables of one pass of the roller: days are built beside the rollups and swapped in whole.

A reader sees each day as it was or as it is, never in between: ``REPLACE PARTITION`` is one step. The stage tables
have new names in each pass, and whoever takes over the lock drops them first; so a roller that was paused for too long
cannot swap old sums over newer ones, its next statement fails.

Raises like ``clickhouse.queries``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse import queries
from clickhouse.errors import translate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from clickhouse_connect.driver.client import Client


class Stages:
    """Two tables: ``touch`` by touch day, ``day`` summed from it, so that both rollups say the same."""

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

    def build(self, run_id: int, days: list[date]) -> None:
        """Days of a run from all of their credits."""
        queries.execute(
            self._client,
            "rollups_build",
            days=days,
            first=min(days),
            last=max(days),
            run_id=run_id,
            touch_stage=self._touch,
        )

    def put(self, run_id: int, day: date, sums: pa.Table) -> None:
        """A day of a run whose sums are known."""
        if not sums.num_rows:
            return
        n = sums.num_rows
        table = sums.append_column("run_id", pa.array([run_id] * n, pa.uint32()))
        table = table.append_column("day", pa.array([day] * n, pa.date32()))
        table = table.set_column(0, "touch_day", table.column("touch_day").cast(pa.date32()))
        try:
            self._client.insert_arrow(self._touch, table)
        except ClickHouseError as error:
            raise translate(error, f"insert into {self._touch}") from error

    def swap(self, run_id: int, marks_us: Mapping[date, int], *, settled_us: int) -> None:
        """Puts days of a run in the place of the old ones and records from which marks they were built."""
        days = list(marks_us)
        queries.execute(self._client, "rollups_sum_touch_days", stage=self._day, touch_stage=self._touch, run_id=run_id)
        rows = queries.run(self._client, "rollups_built_days", stage=self._day, run_id=run_id)
        filled = {row["day"] for row in rows}
        for day in days:
            self._replace(run_id, day) if day in filled else self._clear(run_id, day)
        queries.execute(
            self._client,
            "rollups_record_days",
            run_id=run_id,
            days=days,
            marks_us=list(marks_us.values()),
            settled_us=settled_us,
        )

    def _replace(self, run_id: int, day: date) -> None:
        for name, placeholder, stage in (
            ("rollups_replace_touch_day", "rollup_touch_stage", self._touch),
            ("rollups_replace_day", "rollup_stage", self._day),
        ):
            queries.execute(self._client, name, tables={placeholder: stage}, run_id=run_id, day=day)

    def _clear(self, run_id: int, day: date) -> None:
        bound: dict[str, Any] = {"run_id": run_id, "day": day}
        for name in ("rollups_clear_touch_day", "rollups_clear_day"):
            queries.execute(self._client, name, **bound)
