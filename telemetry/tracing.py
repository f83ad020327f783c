"""Traces, where somebody collects them: a port of two methods, and OpenTelemetry behind it only if it is asked for.

Asked for means that ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``…_TRACES_ENDPOINT``) is set; then the package of the extra
``otel`` must be installed. Otherwise its SDK is not imported, and ``load`` gives ``None``. Everything else is
OpenTelemetry's own environment: sampler, protocol headers, resource, limits.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from telemetry.traceparent import TraceParent

logger: Final = logging.getLogger(__name__)

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Moment(NamedTuple):
    """Something that happened within a span; ``at_ns`` is Unix time in nanoseconds."""

    name: str
    at_ns: int


class TracedRecord(NamedTuple):
    """A record of Kafka that is part of a trace. ``refused``: why it is a dead letter, else empty."""

    parent: TraceParent
    topic: str
    partition: int
    offset: int
    refused: str = ""


class RequestSpan(Protocol):
    """The span of one HTTP request."""

    @property
    def place(self) -> TraceParent:
        """Of this span, for whatever it causes."""
        ...

    def end(self, status: int) -> None:
        """The answer began with this status."""


class Tracer(Protocol):
    """Where spans go. Nothing here blocks or raises: what cannot be sent is dropped and said in the log."""

    def request(self, method: str, route: str, parent: TraceParent | None) -> RequestSpan:
        """Begin the span of a request; ``parent`` is what its caller sent."""
        ...

    def epoch(
        self, records: Sequence[TracedRecord], start_ns: int, stages: Sequence[Moment], counts: Mapping[str, int]
    ) -> None:
        """An epoch is committed: a span of its own, and one in the trace of each record, linked with it.

        Args:
            records: at most as many as are to be seen.
            start_ns: when the epoch began.
            stages: the end of each stage, the last one is the end of all.
            counts: figures of the epoch.
        """


def load(program: str, environment: Mapping[str, str] = os.environ) -> Tracer | None:
    """The tracer of this process, None if none is asked for or the package is missing (which is said)."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return None
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from telemetry.otel import OtelTracer  # noqa: PLC0415 - only where it is asked for
    except ImportError:
        logger.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set and OpenTelemetry is not installed: no traces are sent; "
            "install realtime-attribution[otel] or leave the variable out"
        )
        return None
    return OtelTracer.exporting(program)
