"""Which records of an epoch are part of a trace, and what is told of them when it is committed.

Only a worker with a tracer looks; what it costs then is one look at the headers of each record. Records without
headers, and those whose trace is not sampled, cost no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from faust.types import TP

from schemas.records import RawRecord, Rejected
from telemetry.traceparent import TRACEPARENT, TraceParent, parse
from telemetry.tracing import Moment, TracedRecord, Tracer

#: Records of one epoch that get a span; the trace ids of all go to their rows.
MOST_SPANS: Final = 100

#: By topic partition and offset.
Traced: TypeAlias = Mapping[TP, Mapping[int, TraceParent]]


class _Event(Protocol):
    @property
    def event_id(self) -> str: ...
    @property
    def offset(self) -> int: ...


def traced(chunks: Mapping[TP, Sequence[RawRecord]]) -> Traced:
    """The records whose trace is sampled."""
    found = {}
    for tp, records in chunks.items():
        places = {r.offset: place for r in records if r.headers and (place := _of(r)) and place.is_sampled}
        if places:
            found[tp] = places
    return found


def _of(record: RawRecord) -> TraceParent | None:
    return next((parse(value) for name, value in record.headers if name == TRACEPARENT), None)


def trace_ids(events: Iterable[_Event], places: Mapping[int, TraceParent]) -> dict[str, str]:
    """The trace of each event that has one, by event id; ``places`` are those of its topic partition."""
    return {e.event_id: places[e.offset].trace_hex for e in events if e.offset in places}


def tell(
    tracer: Tracer,
    found: Traced,
    rejected: Iterable[Rejected],
    *,
    seconds: Mapping[str, float],
    end_ns: int,
    counts: Mapping[str, int],
) -> None:
    """Spans of an epoch that is committed.

    Args:
        tracer: where to.
        found: its records that are part of a trace.
        rejected: its dead letters and drops.
        seconds: how long each stage took, in order; together they end at ``end_ns``.
        end_ns: Unix time in nanoseconds.
        counts: figures of the epoch.
    """
    refused = {(r.record.topic, r.record.partition, r.record.offset): str(r.reason) for r in rejected}
    records = [
        TracedRecord(place, tp.topic, tp.partition, offset, refused.get((tp.topic, tp.partition, offset), ""))
        for tp, places in found.items()
        for offset, place in places.items()
    ]
    at_ns = start_ns = end_ns - round(sum(seconds.values()) * 1e9)
    stages = []
    for name, took in seconds.items():
        at_ns += round(took * 1e9)
        stages.append(Moment(name, at_ns))
    tracer.epoch(records[:MOST_SPANS], start_ns, stages, counts)
