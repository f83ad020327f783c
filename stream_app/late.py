"""Events that came later than the allowed lateness: taken out of the facts, kept as dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias, TypeVar

from attribution.journey import Applied
from schemas.codec import RawRecord, Rejected
from schemas.events import ConversionWireEvent, TouchpointEvent

Event = TypeVar("Event", TouchpointEvent, ConversionWireEvent)

#: ``(customer_id, occurred_at_us, event_id)``
LateKey: TypeAlias = tuple[str, int, str]


def late_keys(customer_id: str, applied: Applied) -> Iterator[LateKey]:
    """What ``Journey.apply`` refused."""
    for at_us, event_id, *_ in applied.late_touches:
        yield (customer_id, at_us, event_id)
    for event in applied.late_conversions:
        yield (customer_id, event.at_us, event.event_id)


def split_late(
    events: Sequence[Event], late: Collection[LateKey], records: Sequence[RawRecord]
) -> tuple[list[Event], list[Rejected]]:
    """Events that count, and the late ones as rejected original records.

    Args:
        events: decoded from ``records``.
        late: what the journeys refused.
        records: one chunk of one topic partition.
    """
    kept: list[Event] = []
    offsets = set()
    for event in events:
        if (event.customer_id, event.occurred_at_us, event.event_id) in late:
            offsets.add(event.offset)
        else:
            kept.append(event)
    detail = (
        "older than the allowed lateness behind the newest event of this customer: "
        "raise ATTRIBUTION_ALLOWED_LATENESS_DAYS and send it again"
    )
    rejected = [
        Rejected(record=record, reason="too_late", field="occurred_at", detail=detail)
        for record in records
        if record.offset in offsets
    ]
    return kept, rejected
