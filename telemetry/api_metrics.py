"""What the HTTP API shows, each process for itself. Routes are templates, queries are names of files."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from telemetry.metric import WORK_S, Metric
from telemetry.metrics import Metrics

ApiMetric: TypeAlias = Literal[
    "attribution_api_requests_total",
    "attribution_api_request_seconds",
    "attribution_api_requests_in_flight",
    "attribution_api_refused_total",
    "attribution_api_intake_events_total",
    "attribution_api_stream_listeners",
    "attribution_api_query_seconds",
]

API: Final[dict[ApiMetric, Metric]] = {
    "attribution_api_requests_total": Metric(
        "counter", ("route", "method", "status"), "1", "Answers, by route template; route '-': nothing is there."
    ),
    "attribution_api_request_seconds": Metric(
        "histogram",
        ("route", "method"),
        "seconds",
        "Time until an answer began; of a stream, until its headers.",
        WORK_S,
    ),
    "attribution_api_requests_in_flight": Metric(
        "gauge", (), "1", "Requests that are being answered, streams included."
    ),
    "attribution_api_refused_total": Metric(
        "counter",
        ("status",),
        "1",
        "Requests that the gate refused: 401, 403, 429 (rate, quota, at once, streams).",
        series=(("401",), ("403",), ("429",)),
    ),
    "attribution_api_intake_events_total": Metric(
        "counter", ("topic", "result"), "events", "Events sent to the API: accepted, rejected, unconfirmed."
    ),
    "attribution_api_stream_listeners": Metric("gauge", (), "1", "Live streams that are open."),
    "attribution_api_query_seconds": Metric(
        "histogram",
        ("query", "result"),
        "seconds",
        "Time of a ClickHouse query by its file; result ok or failed.",
        WORK_S,
    ),
}


class ApiMetrics(Metrics[ApiMetric]):
    """The counts of one application."""

    def __init__(self) -> None:
        super().__init__(API, "api")
