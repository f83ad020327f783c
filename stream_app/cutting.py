"""When an epoch is cut: soon after a record came, at most once per linger time, and larger the more is behind.

An idle worker hands a record on after ``SETTLE_S``: what belongs together (a touchpoint and its conversion, on two
topics) arrives within it. While records keep coming, epochs are cut every ``linger_s``, because each costs the store
one insert per table, whatever it holds. While two epochs are under way, only a full one is cut: a pipeline that cannot
keep up gets fewer and larger epochs, up to the bound, and a third one under way keeps all its steps busy.

The first epoch is small, and none is more than twice as large as the one before, so that a worker that meets a backlog
has its first rows soon and its steps at work side by side from the beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: How long the first record of an epoch waits for company, in seconds.
SETTLE_S: Final = 0.02
#: What an epoch may hold whatever the one before did.
FIRST_RECORDS: Final = 5_000
#: Epochs under way beyond which an epoch that is not full waits, and beyond which every one does.
_BUSY, _FULL = 1, 2


class Cuts:
    """Decides; reads the given clock and nothing else."""

    def __init__(self, records: int, linger_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._records, self._linger_s, self._clock = records, linger_s, clock
        self._first_at = 0.0
        self._cut_at = float("-inf")
        self._last = 0

    @property
    def limit(self) -> int:
        """How many records the next epoch may hold."""
        return min(self._records, max(FIRST_RECORDS, 2 * self._last))

    def begin(self) -> None:
        """The first record of the next epoch has come."""
        self._first_at = self._clock()

    def cut(self, count: int) -> float:
        """An epoch of so many records is handed over; what it leaves behind begins the next one.

        Returns when the first record in hand had come.
        """
        self._last = count or self._last  # nothing was due: all waits for another topic
        first_at, self._first_at = self._first_at, self._clock()
        self._cut_at = self._first_at
        return first_at

    def is_due(self, count: int, under_way: int) -> bool:
        """Whether to cut now, with ``count`` records in hand and ``under_way`` epochs begun and not finished."""
        if not count or under_way > _FULL:
            return False
        if count >= self.limit:
            return True
        now = self._clock()
        is_settled = now - self._first_at >= min(SETTLE_S, self._linger_s)
        return is_settled and now - self._cut_at >= self._linger_s and under_way <= _BUSY
