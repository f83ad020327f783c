"""Every metric of the API: name, kind, labels, meaning. ``/metrics`` shows them, in Prometheus' text format.

No label holds what a caller sent: routes are templates, queries are names of files, reasons and topics are ours. So the
number of series is bounded, and nobody's id or secret is in them. One process counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

MetricName: TypeAlias = Literal[
    "attribution_api_requests_total",
    "attribution_api_request_seconds",
    "attribution_api_requests_in_flight",
    "attribution_api_refused_total",
    "attribution_api_intake_events_total",
    "attribution_api_stream_listeners",
    "attribution_api_query_seconds",
]


class Metric(NamedTuple):
    """``labels`` in the order in which values are given."""

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


CATALOGUE: Final[dict[MetricName, Metric]] = {
    "attribution_api_requests_total": Metric(
        "counter", ("route", "method", "status"), "Answers, by route template; route '-': nothing is there."
    ),
    "attribution_api_request_seconds": Metric(
        "histogram", ("route", "method"), "Time until an answer began; of a stream, until its headers."
    ),
    "attribution_api_requests_in_flight": Metric("gauge", (), "Requests that are being answered, streams included."),
    "attribution_api_refused_total": Metric(
        "counter", ("status",), "Requests that the gate refused: 401, 403, 429 (rate, quota, at once, streams)."
    ),
    "attribution_api_intake_events_total": Metric(
        "counter", ("topic", "result"), "Events sent to the API: accepted, rejected, unconfirmed."
    ),
    "attribution_api_stream_listeners": Metric("gauge", (), "Live streams that are open."),
    "attribution_api_query_seconds": Metric(
        "histogram", ("query", "result"), "Time of a ClickHouse query by its file; result ok or failed."
    ),
}

#: Seconds; answers take from a tenth of a millisecond (calculate) to the time limit.
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_Labels: TypeAlias = tuple[str, ...]


class Metrics:
    """Counts of one application. Additions come from threads, too: a lost one in a race is no fault of an answer."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[MetricName, _Labels], float] = {}
        self._histograms: dict[tuple[MetricName, _Labels], list[float]] = {}

    def add(self, name: MetricName, *labels: str, by: float = 1) -> None:
        """Move a counter or a gauge."""
        key = (name, labels)
        self._numbers[key] = self._numbers.get(key, 0) + by

    def observe(self, name: MetricName, seconds: float, *labels: str) -> None:
        """Put a duration into its buckets."""
        found = self._histograms.get((name, labels))
        if found is None:  # counts by bucket, that beyond the last one, the sum
            found = self._histograms[name, labels] = [0.0] * (len(BUCKETS) + 2)
        found[next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))] += 1
        found[-1] += seconds

    def text(self) -> str:
        """All of them in Prometheus' text format; gauges without labels that nobody moved are 0."""
        return "\n".join(line for name in CATALOGUE for line in self._lines(name)) + "\n"

    def _lines(self, name: MetricName) -> Iterator[str]:
        metric = CATALOGUE[name]
        yield f"# HELP {name} {metric.meaning}"
        yield f"# TYPE {name} {metric.kind}"
        if metric.kind == "histogram":
            for (of, values), found in sorted(self._histograms.items()):
                if of == name:
                    yield from _buckets(name, metric.labels, values, list(found))
            return
        numbers = {values: n for (of, values), n in self._numbers.items() if of == name}
        if not metric.labels:
            numbers.setdefault((), 0)
        for values, number in sorted(numbers.items()):
            yield f"{name}{_shown(metric.labels, values)} {number:g}"


def _buckets(name: str, labels: Sequence[str], values: _Labels, found: list[float]) -> Iterator[str]:
    so_far = 0.0
    for bound, n in zip((*map(str, BUCKETS), "+Inf"), found, strict=False):
        so_far += n
        yield f"{name}_bucket{_shown((*labels, 'le'), (*values, bound))} {so_far:g}"
    yield f"{name}_sum{_shown(labels, values)} {found[-1]!r}"
    yield f"{name}_count{_shown(labels, values)} {so_far:g}"


def _shown(labels: Sequence[str], values: Sequence[str]) -> str:
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
