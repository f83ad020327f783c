"""The double's live feed: rows that were inserted by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from api.live_store import Inserted, LiveRow, Position


@dataclass(slots=True)
class Feed:
    """Rows of the run, the engine's time, and how often it was asked."""

    rows: list[LiveRow] = field(default_factory=list)
    run_id: int = 1
    now_us: int = 1_790_000_000_000_000
    asked: int = 0


class MemoryLive:
    """Mixed into the double."""

    __slots__ = ()

    feed: Feed
    ping: Callable[[], None]

    def inserted(self, from_us: int, overlap_us: int) -> Inserted:
        """Inserts from a time on."""
        self.ping()
        self.feed.asked += 1
        first = from_us or self.feed.now_us - overlap_us
        digests: dict[int, int] = {}
        for row in self.feed.rows:
            if row.position.stamp_us >= first:
                digests[row.position.stamp_us] = digests.get(row.position.stamp_us, 0) ^ hash(row.version)
        return Inserted(self.feed.run_id, self.feed.now_us, sorted(digests.items()))

    def inserted_rows(
        self, run_id: int, stamps: Sequence[int], from_us: int, after: Position, limit: int
    ) -> list[LiveRow]:
        """Rows behind a position."""
        self.ping()
        meant = [
            row
            for row in self.feed.rows
            if run_id == self.feed.run_id
            and row.position > after
            and row.position.stamp_us >= from_us
            and (not stamps or row.position.stamp_us in stamps)
        ]
        return sorted(meant, key=lambda row: row.position)[:limit]
