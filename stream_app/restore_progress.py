"""How far restoring is: one line in the log now and then, and what ``status.json`` says meanwhile.

Counted in changelog offsets, markers of transactions and compacted gaps included, so that the total is known before
the first record is read. Safe to call from the thread of each partition; the clock is given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mode import get_logger

logger = get_logger(__name__)

SAY_EVERY_S: Final = 10.0
TELL_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Partition:
    first: int
    end: int
    began: float
    at: int
    said: float

    def figures(self, now: float) -> dict[str, Any]:
        """Records of total, share, rate, time left."""
        done, total, seconds = self.at - self.first, self.end - self.first, now - self.began
        rate = done / seconds if seconds > 0 else 0.0
        return {
            "records": done,
            "total": total,
            "percent": round(100 * done / total, 1),
            "records_s": round(rate),
            "seconds_left": round((total - done) / rate, 1) if rate else None,
        }


class RestoreProgress:
    """Progress of one recovery over all its partitions.

    Args:
        tell: gets the figures of every partition that had anything to restore, about once a second and at its end.
        clock: seconds.
    """

    def __init__(self, tell: Callable[[dict[str, dict[str, Any]]], None], clock: Callable[[], float]) -> None:
        self._tell, self._clock = tell, clock
        self._lock = threading.Lock()
        self._partitions: dict[int, _Partition] = {}
        self._told = float("-inf")

    def begin(self, partition: int, first: int, end: int) -> None:
        """This partition reads offsets ``first`` to ``end`` (exclusive)."""
        now = self._clock()
        with self._lock:
            self._partitions[partition] = _Partition(first, end, now, first, now)
            self._report(now)

    def stored(self, partition: int, offset: int) -> None:
        """Everything up to this offset is in the store; says so at most every ``SAY_EVERY_S`` seconds."""
        now = self._clock()
        with self._lock:
            state = self._partitions[partition]
            state.at = max(state.at, min(offset + 1, state.end))
            if now - state.said >= SAY_EVERY_S:
                state.said = now
                f = state.figures(now)
                logger.warning(
                    "Restoring partition %d: %d of %d records (%.1f %%), %d a second, %.0f s left",
                    partition, f["records"], f["total"], f["percent"], f["records_s"], f["seconds_left"],
                )  # fmt: skip
            if now - self._told >= TELL_EVERY_S:
                self._report(now)

    def end(self, partition: int, records: int) -> None:
        """The partition is complete."""
        now = self._clock()
        with self._lock:
            state = self._partitions.get(partition)
            if state is None:
                return
            state.at, seconds = state.end, now - state.began
            logger.info(
                "Restored partition %d: %d changelog records in %.1f s, %.0f a second",
                partition, records, seconds, records / max(seconds, 1e-3),
            )  # fmt: skip
            self._report(now)

    def _report(self, now: float) -> None:
        self._told = now
        self._tell({str(p): state.figures(now) for p, state in sorted(self._partitions.items())})
