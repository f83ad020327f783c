"""How far a long job is: a bar with the time left on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Final, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_EVERY_S: Final = 5.0


class Meter:
    """``show(done)`` as often as you like; a context manager. ``unit`` is what is counted."""

    def __init__(self, total: int, unit: str) -> None:
        self._total, self._unit = total, unit
        self._bar: Progress | None = None
        self._began_at = self._line_at = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._bar = Progress(
                TextColumn(self._unit),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self._task = self._bar.add_task(self._unit, total=max(self._total, 1))
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int) -> None:
        """``done`` of the total are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=min(done, self._total))
            return
        now = time.monotonic()
        self._first = done if self._first is None else self._first
        if now - self._line_at >= _LINE_EVERY_S:
            self._line_at = now
            rate = (done - self._first) / (now - self._began_at)
            left = f"{max(self._total - done, 0) / rate:,.0f} s left" if rate else "not moving yet"
            print(f"  {done:,} of {self._total:,} {self._unit}, {rate:,.0f} a second, {left}", flush=True)
