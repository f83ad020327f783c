"""A thread beside the event loop: it asks ClickHouse whether it is there, looks at the watchdog, and bounds a stop.

It works while the loop is stuck. What it ends, it ends at once and without a commit: the stacks of all threads go to
the log, and the next start begins at the committed offsets.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mode import get_logger

from stream_app.exits import NO_PROGRESS, STOP_TIMED_OUT
from stream_app.readiness import Readiness
from stream_app.watchdog import Pulse, Watchdog

logger = get_logger(__name__)

_EVERY_S: Final = 1.0


@dataclass(slots=True)
class Supervision:
    """``ping`` answers whether ClickHouse is there; ``clock`` is monotonic, that of ``pulse`` and ``readiness``."""

    readiness: Readiness
    pulse: Pulse
    watchdog: Watchdog
    ping: Callable[[], bool]
    clock: Callable[[], float]
    stop_timeout_s: float
    end: Callable[[int, str], None] = field(default_factory=lambda: end_process)
    stopping: threading.Event = field(default_factory=threading.Event)
    _stop_by: float = float("inf")

    def start(self) -> None:
        """Run until the process ends."""
        for name, step in (("watchdog", self.look), ("sink-ping", self.ask_sink)):
            threading.Thread(target=self._repeat, args=(step,), name=name, daemon=True).start()

    def begin_stop(self) -> None:
        """An orderly stop begins; waits for ClickHouse are given up, and all must be over in time."""
        if not self.stopping.is_set():
            self._stop_by = self.clock() + self.stop_timeout_s
            self.stopping.set()
            self.readiness.stop()

    def look(self) -> None:
        """One look at the deadline of a stop and at the watchdog."""
        now = self.clock()
        if self.stopping.is_set():
            if now > self._stop_by:
                limit = f"ATTRIBUTION_STOP_TIMEOUT_S={self.stop_timeout_s:g}"
                self.end(STOP_TIMED_OUT, f"the stop did not end in time ({limit}); uncommitted work is read again")
            return
        is_serving = self.readiness.partitions is not None
        if stuck := self.watchdog.look(now, self.pulse.last, is_serving=is_serving):
            self.end(NO_PROGRESS, stuck)

    def ask_sink(self) -> None:
        """One question to ClickHouse."""
        self.readiness.sink(self.ping())

    def _repeat(self, step: Callable[[], None]) -> None:
        wait = threading.Event()
        while True:
            try:
                step()
            except Exception:
                logger.exception("Supervision: a check failed; it is tried again")
            wait.wait(_EVERY_S)


def end_process(code: int, why: str) -> None:
    """Stacks of all threads, the reason, the end."""
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    logger.critical("Ending with code %d: %s", code, why)
    sys.stderr.flush()
    os._exit(code)
