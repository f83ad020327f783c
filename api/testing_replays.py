"""The double of replays: runs that stay where they are put, until ``finish``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from api.replay_store import ReplayAsked
from api.testing_runs import RunList
from clickhouse.errors import RunError
from clickhouse.run import Run

_LIVE: Final = 1


@dataclass(slots=True)
class MemoryReplays:
    """Replays over the double's list of runs; ``begun`` is what was asked for, the newest last."""

    run_list: RunList
    begun: list[ReplayAsked] = field(default_factory=list)
    is_closed: bool = False

    def begin(self, asked: ReplayAsked) -> Run:
        """A run that is being computed."""
        with self.run_list.lock:
            entries = self.run_list.entries
            former = next((r for r in entries if r.name == asked.name and r.status != "dropped"), None)
            busy = next((r for r in entries if r.status == "running" and r.name != asked.name), None)
            if busy is not None:
                raise RunError(f"run {busy.name} is being computed: wait for it, or cancel it")
            if former is not None and former.config != dict(asked.parameters):
                raise RunError(f"run {asked.name} exists with other parameters: choose another name")
            if former is not None and former.status in {"running", "complete"}:
                return former
            self.begun.append(asked)
            run_id = former.run_id if former else max(r.run_id for r in entries) + 1
            run = Run(
                run_id, asked.name, ("linear",), "hash", dict(asked.parameters), "running", "facts", done=0, total=10
            )
            self._put(run)
            return run

    def cancel(self, run: Run) -> Run:
        """It is being computed no more."""
        with self.run_list.lock:
            if run.status != "running":
                raise RunError(f"run {run.name} is {run.status}: nothing is being computed")
            stopped = replace(run, status="cancelled", detail="cancelled; the same request goes on")
            self._put(stopped)
            return stopped

    def drop(self, run: Run) -> None:
        """It has no rows any more."""
        run.refuse_if_active()
        if run.run_id == _LIVE or run.status == "running":
            raise RunError(f"run {run.name} stays")
        with self.run_list.lock:
            self._put(replace(run, status="dropped"))

    def finish(self, name: str) -> None:
        """As if the work were done."""
        with self.run_list.lock:
            run = next(r for r in self.run_list.entries if r.name == name)
            self._put(replace(run, status="complete", done=run.total))

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    def _put(self, run: Run) -> None:
        self.run_list.entries = [*(r for r in self.run_list.entries if r.run_id != run.run_id), run]
