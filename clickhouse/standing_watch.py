"""What all numbers stand on, read in full only after something was written to its tables.

Between two writes the answer is the same but for the time. So the parts of the tables are asked for first, which costs
a sixth of the full read: if they are those of the last full read, its rows are right as of now. Parts are looked at
*before* rows are read, so rows may be newer than the parts they are kept under, never older.

Parts belong to a server. Behind one address may be several, of which one may lag: rows of another server than the one
whose parts were seen are not kept. Where ``system.parts`` may not be read, or does not show all parts (behind a
``Distributed`` table), every read is a full one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clickhouse import standing
from clickhouse.errors import SinkRejected

if TYPE_CHECKING:
    from clickhouse.standing import Run, Standing


class _Parts(NamedTuple):
    host: str
    parts: int
    n: int


class _Kept(NamedTuple):
    under: _Parts
    rows: list[dict[str, Any]]


class StandingWatch:
    """Reads by ``run``; threads may share it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._kept: _Kept | None = None
        self._may_look: bool | None = None  # not known yet

    def read(self) -> Standing:
        """As new as the engine when the call began; raises like ``standing.read``."""
        seen, now_us = self._look()
        kept = self._kept
        if kept is not None and kept.under == seen:
            return standing.of(kept.rows, now_us=now_us)
        try:
            rows = self._run("standing")
        except SinkRejected:
            self._may_look = None  # the tables are not there yet: what was found out about them says nothing
            raise
        found = standing.of(rows)
        self._kept = _Kept(seen, rows) if seen is not None and standing.host_of(rows) == seen.host else None
        return found

    def _look(self) -> tuple[_Parts | None, int]:
        try:
            if self._may_look is None:
                self._may_look = bool(self._run("standing_tables")[0]["has_all_parts"])
            if not self._may_look:
                return None, 0
            (row,) = self._run("standing_parts")
        except SinkRejected:
            self._may_look = False
            return None, 0
        return _Parts(row["host"], row["parts"], row["n"]), row["now_us"]
