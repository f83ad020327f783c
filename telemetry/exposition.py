"""Prometheus' text format, by its own client library, with the figures of the process (CPU, memory, files)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from telemetry.metric import Metric

if TYPE_CHECKING:
    from telemetry.metrics import Labels, Metrics

_BUILD_INFO: Final = "attribution_build_info"


def text(metrics: Metrics[Any]) -> str:
    """All series of one program, in the order of its catalogue."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry).decode()


class _Families(Collector):
    def __init__(self, metrics: Metrics[Any]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Any]:
        """Called by the registry."""
        numbers, histograms = self._metrics.values()
        for name, metric in self._metrics.catalogue.items():
            if metric.kind == "histogram":
                found = {labels: value for (of, labels), value in histograms.items() if of == name}
                yield _histogram(name, metric, found)
            else:
                yield _numbers(name, metric, {labels: value for (of, labels), value in numbers.items() if of == name})
        build = GaugeMetricFamily(_BUILD_INFO, "1, with what runs here.", labels=("program", "version"))
        build.add_metric((self._metrics.program, our_version()), 1)
        yield build


def our_version() -> str:
    """Of the installed distribution; empty for a bare checkout."""
    try:
        return version("realtime-attribution")
    except PackageNotFoundError:
        return ""


def _numbers(name: str, metric: Metric, found: dict[Labels, float]) -> CounterMetricFamily | GaugeMetricFamily:
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind == "counter":
        family = CounterMetricFamily(name, metric.meaning, labels=metric.labels)
    else:
        family = GaugeMetricFamily(name, metric.meaning, labels=metric.labels)
    for labels, value in sorted(found.items()):
        family.add_metric(labels, value)
    return family


def _histogram(name: str, metric: Metric, found: dict[Labels, tuple[list[float], float]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, metric.meaning, labels=metric.labels)
    bounds = (*map(floatToGoString, metric.buckets), "+Inf")
    for labels, (counts, total) in sorted(found.items()):
        family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
    return family
