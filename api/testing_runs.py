"""The double's runs: entries that were set, compared by the rows that were given for each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from api.run_store import Compared, Difference
from clickhouse.errors import RunChanged
from clickhouse.run import Checksum, Comparison, Run

#: What a migrated database begins with.
LIVE: Final = Run(1, "live", (), "", {}, is_active=True)


@dataclass(slots=True)
class RunList:
    """Runs, one of them active; ``comparison`` and ``difference`` are the answers about any two."""

    entries: list[Run] = field(default_factory=lambda: [LIVE])
    comparison: Comparison = field(default_factory=lambda: Comparison([], [], []))
    difference: Difference = field(default_factory=lambda: Difference([], (0, 0)))
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


class MemoryRuns:
    """Mixed into the double."""

    __slots__ = ()

    run_list: RunList
    ping: Callable[[], None]

    def runs(self) -> list[Run]:
        """All of them by id."""
        self.ping()
        return sorted(self.run_list.entries, key=lambda r: r.run_id)

    def compare_runs(self, a: Run, b: Run, limit: int) -> Compared:  # noqa: ARG002 - the same answer for any two
        """What was set."""
        self.ping()
        found = self.run_list.comparison
        return Compared((Checksum(0, 0, 0), Checksum(0, 0, 0)), found._replace(conversions=found.conversions[:limit]))

    def run_difference(self, a: Run, b: Run, model: str, start: date, end: date) -> Difference:  # noqa: ARG002
        """What was set."""
        self.ping()
        return self.run_list.difference

    def promote_run(self, run: Run, *, expected: int, frozen: bool, is_wanted: Callable[[], bool]) -> bool:
        """Show a run."""
        self.ping()
        with self.run_list.lock:
            active = next(r for r in self.run_list.entries if r.is_active)
            if not is_wanted() or active.run_id == run.run_id:
                return False
            if active.run_id != expected:
                raise RunChanged(expected, active.name, active.run_id)
            run.refuse_to_show(frozen=frozen)
            self.run_list.entries = [replace(r, is_active=r.run_id == run.run_id) for r in self.run_list.entries]
            return True
