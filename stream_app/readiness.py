"""Ready means: partitions assigned, their journeys recovered, and ClickHouse reachable.

Two files in the data directory, replaced as a whole at every change. ``status.json`` is always there: state, why not,
partitions, process. ``ready.json`` is there only while the worker is ready. Safe to call from any thread.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mode import get_logger

logger = get_logger(__name__)

#: ClickHouse may be silent for so long without a word.
SINK_GRACE_S: Final = 5.0

WHY: Final = {
    "starting": "connecting to Kafka",
    "recovering": "partitions come or go, their journeys are being restored",
    "sink_unreachable": "ClickHouse does not answer; nothing is dropped, reading pauses",
    "stopping": "finishing what is in hand",
    "ready": "",
}


class Readiness:
    """What is known, and the files that say it."""

    def __init__(self, data_dir: Path, clock: Callable[[], float]) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._ready, self._status = data_dir / "ready.json", data_dir / "status.json"
        self._clock, self._lock = clock, threading.Lock()
        self._partitions: set[int] | None = None
        self._was_assigned = self._is_stopping = False
        self._sink_answered_at = clock()
        self._restored: dict[str, dict[str, Any]] = {}
        self._written: tuple[str, set[int] | None, dict[str, dict[str, Any]]] | None = None
        self._write()

    @property
    def state(self) -> str:
        """One of the keys of ``WHY``."""
        if self._is_stopping:
            return "stopping"
        if self._partitions is None:
            return "recovering" if self._was_assigned else "starting"
        is_silent = self._clock() - self._sink_answered_at > SINK_GRACE_S
        return "sink_unreachable" if is_silent else "ready"

    @property
    def partitions(self) -> frozenset[int] | None:
        """Those that are assigned and recovered; None while they change."""
        return None if self._partitions is None else frozenset(self._partitions)

    @property
    def restored(self) -> dict[str, dict[str, Any]]:
        """What ``restoring`` was told last."""
        return self._restored

    def set(self, partitions: set[int]) -> None:
        """These are assigned and recovered."""
        self._partitions = set(partitions)
        self._write()

    def clear(self) -> None:
        """Partitions come or go."""
        self._partitions, self._was_assigned = None, True
        self._restored = {}
        self._write()

    def restoring(self, figures: dict[str, dict[str, Any]]) -> None:
        """How far the partitions are that have something to restore; stays in the files until the next rebalance."""
        self._restored = figures
        self._write()

    def stop(self) -> None:
        """The worker ends."""
        self._is_stopping = True
        self._write()

    def sink(self, answers: bool) -> None:
        """Whether ClickHouse answered just now."""
        if answers:
            self._sink_answered_at = self._clock()
        self._write()

    def _write(self) -> None:
        with self._lock:
            state = self.state
            now = (state, self._partitions, self._restored)
            if self._written == now:
                return
            before, self._written = self._written, now
            content = {
                "state": state,
                "ready": state == "ready",
                "why_not": WHY[state],
                "partitions": sorted(self._partitions or ()),
                "restored": self._restored,
                "pid": os.getpid(),
                "at": datetime.now(UTC).isoformat(),
            }
            _replace(self._status, content)
            if state == "ready":
                _replace(self._ready, content)
            else:
                self._ready.unlink(missing_ok=True)
        if before is not None and before[0] != state:
            level = logger.warning if "sink_unreachable" in (state, before[0]) else logger.info
            level("State %s -> %s%s", before[0], state, f": {WHY[state]}" if WHY[state] else "")


def _replace(file: Path, content: object) -> None:
    partial = file.with_suffix(".tmp")
    partial.write_text(json.dumps(content))
    partial.replace(file)
