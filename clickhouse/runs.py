"""Runs: which there are, which one is shown, what they hold, and their end.

A run is one set of parameters and its rows. Everything here is keyed by ``run_id``; a name belongs to one run at a time
and is free again when that run was dropped, an id is never given twice. Times are microseconds since the epoch, 0 for
"not"; money is int64 micros. Raises ``RunError`` for what a run's state forbids, else like all of this room.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from clickhouse import queries, rows
from clickhouse.errors import LockHeld, RunChanged, RunError
from clickhouse.locks import table_lock
from clickhouse.path_sums import LOCK as PATH_LOCK
from clickhouse.path_sums import STALE_AFTER_S as PATH_STALE_AFTER_S
from clickhouse.rollups import LOCK as ROLLUP_LOCK
from clickhouse.rollups import Roller
from clickhouse.run import Checksum, Comparison, Run, common_window, from_row
from clickhouse.writer import Writer

if TYPE_CHECKING:
    from datetime import date

    from clickhouse_connect.driver.client import Client

_LOCK: Final = "runs_lock"
_STALE_AFTER_S: Final = 60
#: Longest wait for a roller that is at work, to end a run.
_ROLLER_WAIT_S: Final = 90.0


class Runs:
    """The runs of one database."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._writer = Writer(client)

    def every(self) -> list[Run]:
        """All runs by id, dropped ones too."""
        return [from_row(row) for row in queries.run(self._client, "runs_list")]

    def active(self) -> Run:
        """The run that the views show."""
        for run in self.every():
            if run.is_active:
                return run
        raise RunError("no run is active; run: attribution migrate")

    def find(self, name: str) -> Run | None:
        """The run of this name, if there is one that was not dropped."""
        return next((r for r in reversed(self.every()) if r.name == name and r.status != "dropped"), None)

    def get(self, name: str) -> Run:
        """Like ``find``.

        Raises:
            RunError: there is none.
        """
        found = self.find(name)
        if found is None:
            names = ", ".join(r.name for r in self.every() if r.status != "dropped")
            raise RunError(f"run {name!r} does not exist; there are: {names}")
        return found

    def create(self, run: Run, *, group_prefix: str = "", alone: bool = False, most: int = 0) -> Run:
        """Gives ``run`` the next id, and the group ``<group_prefix><id>`` if there is a prefix.

        Args:
            run: what to make.
            group_prefix: of the group's name.
            alone: only while no other run is being computed.
            most: runs that there may be then; 0: any number.

        Raises:
            RunError: the name is taken, another run is being computed, or there are too many.
            LockHeld: somebody else creates runs for too long.
        """
        with table_lock(self._client, _LOCK, stale_after_s=_STALE_AFTER_S, wait_s=10.0):
            if self.find(run.name) is not None:
                raise RunError(f"run {run.name!r} exists already; choose another name")
            if alone:
                self._refuse_if_busy(run.name)
            kept = [r.name for r in self.every() if r.status != "dropped"]
            if most and len(kept) >= most:
                raise RunError(f"there are {len(kept)} runs already, at most {most}: remove one of {', '.join(kept)}")
            run_id = max(r.run_id for r in self.every()) + 1
            created = replace(run, run_id=run_id, group_id=f"{group_prefix}{run_id}" if group_prefix else "")
            self.save(created)
        return created

    def resume(self, run: Run) -> Run:
        """Marks a run that was stopped as being computed again, while no other one is.

        Raises:
            RunError: another one is.
            LockHeld: somebody else creates runs for too long.
        """
        with table_lock(self._client, _LOCK, stale_after_s=_STALE_AFTER_S, wait_s=10.0):
            self._refuse_if_busy(run.name)
            running = replace(self.get_id(run.run_id), status="running", detail="")
            self.save(running)
        return running

    def _refuse_if_busy(self, name: str) -> None:
        for run in self.every():
            if run.status == "running" and run.name != name:
                raise RunError(
                    f"run {run.name} is being computed ({run.done:,} of {run.total:,}): wait for it, or cancel it"
                )

    def save(self, run: Run) -> None:
        """Writes the run's row."""
        more: dict[str, str | int] = {
            "status": run.status,
            "source": run.source,
            "group_id": run.group_id,
            "from_us": run.window.from_us,
            "to_us": run.window.to_us,
            "plan": json.dumps(run.plan, sort_keys=True),
            "done": run.done,
            "total": run.total,
            "detail": run.detail,
            "created_us": run.created_us,
            "finished_us": run.finished_us,
        }
        table = rows.run_rows(
            run.run_id,
            label=run.name,
            models=run.models,
            config_hash=run.config_hash,
            config_json=json.dumps(run.config, sort_keys=True),
            more=more,
        )
        self._writer.write({"runs": table})

    def promote(self, run: Run, *, frozen: bool = False, expected: int | None = None) -> bool:
        """Shows ``run`` from now on: one insert, seen by the next query.

        Raises what ``Run.refuse_to_show`` does, as well.

        Args:
            run: which one.
            frozen: take a run that no worker can keep up to date.
            expected: id of the run that must still be shown; None: any.

        Returns:
            Whether that changed anything.

        Raises:
            RunChanged: another one is shown.
            LockHeld: runs are being made or promoted for too long.
        """
        with table_lock(self._client, _LOCK, stale_after_s=_STALE_AFTER_S, wait_s=10.0):
            active = self.active()
            if active.run_id == run.run_id:
                return False
            if expected not in (None, active.run_id):
                raise RunChanged(expected or 0, active.name, active.run_id)
            self.get_id(run.run_id).refuse_to_show(frozen=frozen)
            queries.execute(self._client, "runs_promote", run_id=run.run_id)
        return True

    def get_id(self, run_id: int) -> Run:
        """The run of this id, as it is now.

        Raises:
            RunError: there is none.
        """
        found = next((r for r in self.every() if r.run_id == run_id), None)
        if found is None:
            raise RunError(f"run {run_id} does not exist")
        return found

    def drop(self, run: Run) -> None:
        """Removes all rows of ``run``; what is left is its entry, as dropped. Doing it twice is the same as once.

        Raises:
            RunError: it is the active one.
            LockHeld: a roller is at work for too long.
        """
        run.refuse_if_active()
        with (
            table_lock(self._client, ROLLUP_LOCK, stale_after_s=_STALE_AFTER_S, wait_s=_ROLLER_WAIT_S),
            table_lock(self._client, PATH_LOCK, stale_after_s=PATH_STALE_AFTER_S, wait_s=_ROLLER_WAIT_S),
        ):
            for row in queries.run(self._client, "runs_months", run_id=run.run_id):
                queries.execute(self._client, "runs_drop_month", run_id=run.run_id, month=row["month"])
            for row in queries.run(self._client, "runs_days", run_id=run.run_id):
                for statement in ("path_sums_clear_day", "rollups_clear_touch_day", "rollups_clear_day"):
                    queries.execute(self._client, statement, run_id=run.run_id, day=row["day"])
            for table in ("dirty_days", "path_state", "rollup_state", "worker_progress"):
                queries.execute(self._client, f"runs_forget_{table}", run_id=run.run_id)
            self.save(replace(run, status="dropped", plan={}, detail=""))

    def mark_days(self, run: Run) -> None:
        """Has the daily sums of the whole run built anew."""
        Roller(self._client).rebuild(run.run_id)

    def build_sums(self, *, wait_s: float = 120.0) -> None:
        """Builds what daily sums are not up to date, together with a roller that is at work.

        Raises:
            LockHeld: another roller does not come to an end.
        """
        deadline = time.monotonic() + wait_s
        while True:
            try:
                Roller(self._client).drain()
            except LockHeld:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def checksum(self, run: Run) -> Checksum:
        """Of all credits of the run; see ``queries/runs_checksum.sql`` for what is in it."""
        return Checksum(**queries.run(self._client, "runs_checksum", run_id=run.run_id)[0])

    def difference(
        self, a: Run, b: Run, *, model: str, start: date, end: date
    ) -> tuple[list[dict[str, Any]], tuple[int, int]]:
        """Channels of two runs on these days from the daily sums, and the days of each that the sums lack."""
        bound = {"a": a.run_id, "b": b.run_id}
        rows_ = queries.run(self._client, "runs_difference", **bound, model=model, start=start, end=end)
        days = {row["run_id"]: row["days"] for row in queries.run(self._client, "runs_pending_days", **bound)}
        return rows_, (days.get(a.run_id, 0), days.get(b.run_id, 0))

    def compare(self, a: Run, b: Run, *, limit: int) -> Comparison:
        """Rows, channels and the ``limit`` conversions that differ most, in the time that both runs hold."""
        window = common_window(a, b)
        bound = {"a": a.run_id, "b": b.run_id, "from_us": window.from_us, "to_us": window.to_us}
        return Comparison(
            queries.run(self._client, "runs_compare_models", **bound),
            queries.run(self._client, "runs_compare_channels", **bound),
            queries.run(self._client, "runs_compare_conversions", **bound, limit=limit),
        )
