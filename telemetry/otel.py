"""Traces by OpenTelemetry's SDK, sent by OTLP over HTTP in the background.

Names and attributes follow its semantic conventions for HTTP servers and for messaging (Kafka).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from telemetry.exposition import our_version
from telemetry.traceparent import TraceParent
from telemetry.tracing import Moment, TracedRecord

_SCOPE: Final = "attribution"
_SERVER_ERROR: Final = 500


class OtelTracer:
    """See ``telemetry.tracing.Tracer``.

    Args:
        program: as the catalogue of metrics names it; ``OTEL_SERVICE_NAME`` takes its place.
        processor: where ended spans go.
    """

    def __init__(self, program: str, processor: SpanProcessor) -> None:
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"attribution-{program}"}
        resource = Resource.create({**named, "service.version": our_version()})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_SCOPE, our_version())

    @classmethod
    def exporting(cls, program: str) -> OtelTracer:
        """Sends to where OpenTelemetry's environment says."""
        return cls(program, BatchSpanProcessor(OTLPSpanExporter()))

    def request(self, method: str, route: str, parent: TraceParent | None) -> OtelRequest:
        """See the protocol."""
        span = self._tracer.start_span(
            f"{method} {route}",
            None if parent is None else set_span_in_context(NonRecordingSpan(_context(parent))),
            SpanKind.SERVER,
            {"http.request.method": method, "http.route": route},
        )
        return OtelRequest(span)

    def epoch(
        self, records: Sequence[TracedRecord], start_ns: int, stages: Sequence[Moment], counts: Mapping[str, int]
    ) -> None:
        """See the protocol."""
        links = [Link(_context(record.parent)) for record in records]
        figures = {f"attribution.epoch.{name}": count for name, count in counts.items()}
        whole = self._tracer.start_span(
            "epoch", kind=SpanKind.INTERNAL, attributes=figures, links=links, start_time=start_ns
        )
        for record in records:
            self._record(record, whole, start_ns, stages)
        _end(whole, stages)

    def flush(self) -> None:
        """Send what has ended; blocks."""
        self._provider.force_flush()

    def _record(self, record: TracedRecord, whole: Span, start_ns: int, stages: Sequence[Moment]) -> None:
        span = self._tracer.start_span(
            f"process {record.topic}",
            set_span_in_context(NonRecordingSpan(_context(record.parent))),
            SpanKind.CONSUMER,
            {
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.operation.name": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
            },
            links=[Link(whole.get_span_context())],
            start_time=start_ns,
        )
        if record.refused:
            span.set_attribute("error.type", record.refused)
            span.set_status(Status(StatusCode.ERROR, f"dead letter: {record.refused}"))
        _end(span, stages)


class OtelRequest:
    """See ``telemetry.tracing.RequestSpan``."""

    def __init__(self, span: Span) -> None:
        self._span = span
        found = span.get_span_context()
        self.place = TraceParent(found.trace_id, found.span_id, found.trace_flags.sampled)

    def end(self, status: int) -> None:
        """See the protocol."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= _SERVER_ERROR:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _context(place: TraceParent) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=flags)


def _end(span: Span, stages: Sequence[Moment]) -> None:
    for name, at_ns in stages:
        span.add_event(name, timestamp=at_ns)
    span.end(stages[-1].at_ns if stages else None)
