"""Who listens, over all workspaces: a cap per caller, and an end for all when the process stops. One event loop."""

from __future__ import annotations

from collections import Counter

from api.errors import Problem
from api.live_hub import Listener
from telemetry.api_metrics import ApiMetrics


class Streams:
    """Made once by the application factory; ``per_caller`` is the cap."""

    def __init__(self, per_caller: int, metrics: ApiMetrics) -> None:
        self._metrics = metrics
        self._per_caller = per_caller
        self._callers: Counter[str] = Counter()
        self._open: set[Listener] = set()
        self.is_stopping = False

    @property
    def count(self) -> int:
        """How many listen now."""
        return len(self._open)

    def add(self, actor: str, listener: Listener) -> None:
        """Count a listener; ``remove`` must follow.

        Raises:
            Problem: 429, this caller has enough.
        """
        if self._callers[actor] >= self._per_caller:
            raise Problem(
                429,
                f"{self._per_caller} streams are open with these credentials; end one.",
                headers={"Retry-After": "5"},
            )
        self._callers[actor] += 1
        self._open.add(listener)
        self._metrics.add("attribution_api_stream_listeners")

    def remove(self, actor: str, listener: Listener) -> None:
        """It has ended."""
        self._open.discard(listener)
        self._metrics.add("attribution_api_stream_listeners", by=-1)
        self._callers[actor] -= 1
        if not self._callers[actor]:
            del self._callers[actor]

    def stop(self) -> None:
        """Every stream ends with its last event."""
        self.is_stopping = True
        for listener in tuple(self._open):
            listener.wake()
