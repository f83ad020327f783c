"""Says that the worker waits for ClickHouse: at once, then every minute, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mode import get_logger

from clickhouse.errors import SinkUnavailable
from stream_app.watchdog import Pulse

logger = get_logger(__name__)

_AGAIN_S: Final = 60.0


class SinkWait:
    """One wait after the other; every renewal is a sign of life."""

    def __init__(self, pulse: Pulse, clock: Callable[[], float], count: Callable[[], None] = lambda: None) -> None:
        self._pulse, self._clock, self._count = pulse, clock, count
        self._since: float | None = None
        self._said_at = 0.0

    def renewed(self, error: SinkUnavailable, _wait_s: float) -> None:
        """ClickHouse was away once more."""
        now = self._clock()
        self._pulse.beat("wait for ClickHouse")
        self._count()
        if self._since is None:
            self._since = self._said_at = now
            logger.warning("Waiting for ClickHouse; reading pauses, nothing is dropped: %s", error)
        elif now - self._said_at >= _AGAIN_S:
            self._said_at = now
            logger.warning("Still waiting for ClickHouse, for %.0f s: %s", now - self._since, error)

    def over(self) -> None:
        """It took the rows."""
        if self._since is not None:
            logger.warning("ClickHouse is back after %.0f s", self._clock() - self._since)
            self._since = None
