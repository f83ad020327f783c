"""Audit entries on their way to the log: a thread of its own writes them in batches, so that reads never wait.

What a changing call is about to do is written before it happens (``now``). Of reads, a kill -9 loses what came in the
last ``_LINGER_S`` seconds. When the log is too slow, entries beyond ``_MAX_WAITING`` are counted instead of kept, and
the count is an entry itself.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from accounts.audit import AuditLog, Entry
from accounts.errors import AccountError

_log: Final = logging.getLogger("api.audit")
_LINGER_S: Final = 0.2
_BATCH: Final = 2_000
_MAX_WAITING: Final = 50_000


class AuditTrail:
    """Takes entries from the event loop."""

    def __init__(self, log: Callable[[], AuditLog]) -> None:
        self._log = log
        self._waiting: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._lost = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, entry: Entry) -> None:
        """Note a call that is over. Never blocks."""
        if self._waiting.qsize() >= _MAX_WAITING:
            self._lost += 1
            return
        self._waiting.put(entry)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
                    self._thread.start()

    def now(self, entry: Entry) -> None:
        """Write an entry before returning. Blocks.

        Raises:
            AccountsUnavailable: the log cannot be written; then the call must not happen.
        """
        self._log().append([entry])

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(timeout=30)

    def _write(self) -> None:
        while True:
            batch, is_last = self._next_batch()
            lost, self._lost = self._lost, 0
            if lost and batch:
                batch.append(replace(batch[-1], actor="-", route=f"{lost} entries lost", status=0, rows=lost))
            self._append(batch)
            if is_last:
                return

    def _next_batch(self) -> tuple[list[Entry], bool]:
        first = self._waiting.get()
        if first is None:
            return [], True
        batch, until = [first], time.monotonic() + _LINGER_S
        while len(batch) < _BATCH:
            try:
                entry = self._waiting.get(timeout=max(until - time.monotonic(), 0.0))
            except queue.Empty:
                break
            if entry is None:
                return batch, True
            batch.append(entry)
        return batch, False

    def _append(self, batch: list[Entry]) -> None:
        for attempt in range(5):
            try:
                self._log().append(batch)
            except AccountError as error:
                _log.error("audit log: %s; try %d", error, attempt + 1)
                time.sleep(0.2 * 2**attempt)
            else:
                return
        self._lost += len(batch)
