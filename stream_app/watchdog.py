"""Ends a worker that has work and does not get on with it; whoever started it starts it again.

Signs of life: an epoch is finished, a wait for ClickHouse or the registry is renewed, partitions come or go, records
are restored. Without any for ``limit_s`` seconds, a worker that is to take over partitions is stuck, and so is one that
serves them while records lie behind its committed offsets. Having nothing to read is no fault; not knowing, because
the broker does not answer, is not held against the worker either.

``Watchdog`` decides and reads no clock; ``Pulse`` is where the parts of the worker report, from any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: How often the broker is asked, as a share of the limit, once no sign of life has come for as long.
_SHARE: Final = 4


class Pulse:
    """Signs of life: when the last one was, and what."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = (clock(), "start")

    def beat(self, what: str) -> None:
        """The worker got on."""
        self._last = (self._clock(), what)

    @property
    def last(self) -> tuple[float, str]:
        """Time and kind of the last one."""
        return self._last


@dataclass(slots=True)
class Watchdog:
    """``has_work`` answers whether records lie behind the committed offsets, None: not known; it may block.

    ``limit_s`` 0 switches the watchdog off.
    """

    limit_s: float
    has_work: Callable[[], bool | None]
    _rested_at: float = float("-inf")
    _asked_at: float = float("-inf")

    def look(self, now_s: float, last: tuple[float, str], *, is_serving: bool) -> str:
        """Why the worker is stuck; empty while it is not.

        Args:
            now_s: of the clock of the pulse.
            last: the pulse.
            is_serving: partitions are assigned and recovered.
        """
        quiet_s = now_s - max(last[0], self._rested_at)
        if not self.limit_s or quiet_s < self.limit_s / _SHARE:
            return ""
        if not is_serving:
            return self._explained(now_s, last, "partitions are not taken over") if quiet_s > self.limit_s else ""
        if now_s - self._asked_at < self.limit_s / _SHARE:
            return ""
        self._asked_at = now_s
        if not self.has_work():
            self._rested_at = now_s
            return ""
        return self._explained(now_s, last, "records wait to be read") if quiet_s > self.limit_s else ""

    def _explained(self, now_s: float, last: tuple[float, str], why: str) -> str:
        return (
            f"{why}, and nothing has happened for {now_s - last[0]:.0f} s "
            f"(ATTRIBUTION_WATCHDOG_S={self.limit_s:g}); the last was: {last[1]}"
        )
