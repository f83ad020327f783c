"""Trace context: what is valid is passed on, what is not is ignored; spans only where somebody collects them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from schemas.events import TouchpointEvent
from schemas.records import Rejected
from stream_app.fetch import Record
from stream_app.traces import MOST_SPANS, tell, trace_ids, traced
from telemetry.otel import OtelTracer
from telemetry.traceparent import TraceParent, parse
from telemetry.tracing import load

IDS = st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)
PLACE = TraceParent(0xABC, 0xDEF, is_sampled=True)


@given(*IDS, st.booleans())
def test_what_is_written_is_read(trace_id: int, span_id: int, is_sampled: bool) -> None:
    place = TraceParent(trace_id, span_id, is_sampled)
    assert parse(place.header()) == place
    assert parse(b" " + place.header() + b" ") == place


@given(st.binary(max_size=80))
def test_anything_else_is_ignored(value: bytes) -> None:
    found = parse(value)
    assert found is None or found.header()[3:52] in value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        None,
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_what_the_standard_forbids_is_no_parent(value: bytes | None) -> None:
    assert parse(value) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert parse(b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more") is not None


def record(offset: int, *headers: tuple[str, bytes]) -> Record:
    return Record("t", 0, offset, 0, b"k", b"v", headers)


def test_only_sampled_records_are_traced_and_name_their_events() -> None:
    unsampled = TraceParent(1, 2, is_sampled=False).header()
    records = [
        record(0),
        record(1, ("traceparent", PLACE.header())),
        record(2, ("traceparent", unsampled)),
        record(3, ("ce_id", b"x"), ("traceparent", b"nonsense")),
    ]
    found = traced({TP("t", 0): records, TP("c", 0): [record(9)]})
    assert found == {TP("t", 0): {1: PLACE}}
    events = [TouchpointEvent(f"e{i}", "c", 1, "Email", offset=i) for i in range(4)]
    assert trace_ids(events, found[TP("t", 0)]) == {"e1": PLACE.trace_hex}


def test_an_epoch_gives_one_span_and_a_linked_one_in_each_record_s_trace() -> None:
    """At most a hundred; times are those of the stages; a dead letter is an error."""
    spans = InMemorySpanExporter()
    tracer = OtelTracer("worker", SimpleSpanProcessor(spans))
    places = {TP("t", 0): {i: TraceParent(i + 1, 7, is_sampled=True) for i in range(MOST_SPANS + 50)}}
    rejected = [Rejected(record(1), "too_late", "occurred_at", "")]
    seconds = {"computed": 0.5, "committed": 0.25}
    tell(tracer, places, rejected, seconds=seconds, end_ns=10_000_000_000, counts={"records": 150})
    found: list[Any] = list(spans.get_finished_spans())
    (epoch,) = (s for s in found if s.name == "epoch")
    records = [s for s in found if s.name == "process t"]
    assert len(records) == MOST_SPANS
    assert (epoch.start_time, epoch.end_time) == (9_250_000_000, 10_000_000_000)
    assert [(e.name, e.timestamp) for e in epoch.events] == [("computed", 9_750_000_000), ("committed", 10_000_000_000)]
    assert {s.context.trace_id for s in records} == set(range(1, MOST_SPANS + 1))
    assert all(s.parent.span_id == 7 and s.links[0].context == epoch.context for s in records)
    assert [s.attributes["messaging.kafka.offset"] for s in records if s.status.status_code is StatusCode.ERROR] == [1]


def test_a_request_continues_its_caller_s_trace() -> None:
    spans = InMemorySpanExporter()
    tracer = OtelTracer("api", SimpleSpanProcessor(spans))
    span = tracer.request("POST", "/v1/track", PLACE)
    assert span.place.trace_id == PLACE.trace_id
    span.end(503)
    fresh = tracer.request("GET", "/health", None)
    fresh.end(200)
    failed, fine = spans.get_finished_spans()
    assert (failed.name, failed.parent.span_id) == ("POST /v1/track", PLACE.span_id)  # type: ignore[union-attr]  # it has one
    assert failed.status.status_code is StatusCode.ERROR
    assert fine.parent is None
    assert fine.resource.attributes["service.name"] == "attribution-api"


def test_no_sdk_is_loaded_unless_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """The modules of a worker and of the API are imported, and a tracer is looked for."""
    program = (
        "import sys, api.app, stream_app.worker\n"
        "from telemetry import tracing\n"
        "asked = {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:1'}\n"
        "assert tracing.load('worker', {}) is None\n"
        "assert tracing.load('worker', {**asked, 'OTEL_SDK_DISABLED': 'true'}) is None\n"
        "assert not [m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]\n"
        "sys.modules['opentelemetry.sdk'] = sys.modules['opentelemetry.exporter'] = None\n"
        "assert tracing.load('worker', asked) is None\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "realtime-attribution[otel]" in done.stderr
    assert load("worker", {}) is None
    assert not caplog.records
