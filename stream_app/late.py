"""Events that came too late, or are beyond the bound of a journey: taken out of the facts, kept as dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from attribution.journey import Applied
from schemas.codec import RawRecord, Rejected
from schemas.events import ConversionWireEvent, TouchpointEvent
from schemas.reasons import Reason

Event = TypeVar("Event", TouchpointEvent, ConversionWireEvent)

#: ``(customer_id, occurred_at_us, event_id)``
LateKey: TypeAlias = tuple[str, int, str]


_DETAILS: Final[Mapping[Reason, str]] = {
    "too_late": "older than the allowed lateness behind the newest event of this customer: "
    "raise ATTRIBUTION_ALLOWED_LATENESS_DAYS and send it again",
    "too_many_conversions": "older than all conversions of a customer who has as many as are kept: "
    "raise ATTRIBUTION_MAX_CONVERSIONS and send it again",
}


def late_keys(customer_id: str, applied: Applied) -> Iterator[tuple[LateKey, Reason]]:
    """What ``Journey.apply`` refused, and why."""
    for at_us, event_id, *_ in applied.late_touches:
        yield (customer_id, at_us, event_id), "too_late"
    for event in applied.late_conversions:
        yield (customer_id, event.at_us, event.event_id), "too_late"
    for event in applied.excess_conversions:
        yield (customer_id, event.at_us, event.event_id), "too_many_conversions"


def split_late(
    events: Sequence[Event], late: Mapping[LateKey, Reason], records: Sequence[RawRecord]
) -> tuple[list[Event], list[Rejected]]:
    """Events that count, and the others as rejected original records.

    Args:
        events: decoded from ``records``.
        late: what the journeys refused, and why.
        records: one chunk of one topic partition.
    """
    kept: list[Event] = []
    refused: dict[int, Reason] = {}
    for event in events:
        reason = late.get((event.customer_id, event.occurred_at_us, event.event_id))
        if reason is None:
            kept.append(event)
        else:
            refused[event.offset] = reason
    rejected = [
        Rejected(record=record, reason=reason, field="occurred_at", detail=_DETAILS[reason])
        for record in records
        if (reason := refused.get(record.offset)) is not None
    ]
    return kept, rejected
