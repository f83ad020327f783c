"""The counts of one process: moved by name, from any thread, and shown as text for Prometheus.

An addition is a lock and a dictionary access. Whatever is only known when somebody asks (an age, a state) is set by a
``watch`` just before the text is made.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeAlias, TypeVar

from telemetry.metric import Metric

Name = TypeVar("Name", bound=str)
Labels: TypeAlias = tuple[str, ...]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
logger: Final = logging.getLogger(__name__)


class Histogram:
    """Counts by bucket, the last one beyond all bounds; ``total`` is the sum of what was observed."""

    __slots__ = ("counts", "total")

    def __init__(self, bounds: int) -> None:
        self.counts = [0.0] * (bounds + 1)
        self.total = 0.0


class Metrics(Generic[Name]):
    """Values of a program's metrics.

    Args:
        catalogue: which there are.
        program: as ``telemetry.catalogue`` names it.
    """

    def __init__(self, catalogue: Mapping[Name, Metric], program: str) -> None:
        self.catalogue, self.program = catalogue, program
        self._lock = threading.Lock()
        self._numbers: dict[tuple[Name, Labels], float] = {}
        self._histograms: dict[tuple[Name, Labels], Histogram] = {}
        self._watches: list[Callable[[], None]] = []
        for name, metric in catalogue.items():
            for labels in metric.series or (() if metric.labels else ((),)):
                if metric.kind == "histogram":
                    self._histograms[name, labels] = Histogram(len(metric.buckets))
                else:
                    self._numbers[name, labels] = 0.0

    def add(self, name: Name, *labels: str, by: float = 1) -> None:
        """Move a counter or a gauge."""
        key = (name, labels)
        with self._lock:
            self._numbers[key] = self._numbers.get(key, 0.0) + by

    def put(self, name: Name, value: float, *labels: str) -> None:
        """Set a gauge, or a counter that is counted elsewhere."""
        with self._lock:
            self._numbers[name, labels] = value

    def replace(self, name: Name, values: Mapping[Labels, float]) -> None:
        """Set all series of a gauge; those that are not named are shown no more."""
        with self._lock:
            for key in [key for key in self._numbers if key[0] == name]:
                del self._numbers[key]
            for labels, value in values.items():
                self._numbers[name, labels] = value

    def observe(self, name: Name, value: float, *labels: str, weight: float = 1) -> None:
        """Put a value into its bucket, as often as ``weight`` says."""
        bounds = self.catalogue[name].buckets
        place = bisect_left(bounds, value)
        with self._lock:
            found = self._histograms.get((name, labels))
            if found is None:
                found = self._histograms[name, labels] = Histogram(len(bounds))
            found.counts[place] += weight
            found.total += value * weight

    def watch(self, ask: Callable[[], None]) -> None:
        """``ask`` is called before each text and sets what is only known then; a failure is logged and passed over."""
        self._watches.append(ask)

    def values(self) -> tuple[dict[tuple[Name, Labels], float], dict[tuple[Name, Labels], tuple[list[float], float]]]:
        """A copy of all numbers, and of all histograms as counts by bucket and sum."""
        with self._lock:
            histograms = {key: (list(h.counts), h.total) for key, h in self._histograms.items()}
            return dict(self._numbers), histograms

    def text(self) -> str:
        """All of them in Prometheus' text format, with those of the process itself."""
        from telemetry.exposition import text  # noqa: PLC0415 - 60 ms, only where somebody asks

        for ask in self._watches:
            try:
                ask()
            except Exception:
                logger.exception("a value of /metrics could not be read")
        return text(self)
