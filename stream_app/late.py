"""Events that journeys refuse: taken out of the facts, kept as dead letters.

They came later than the allowed lateness, or the customer has as many conversions as a journey keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from attribution.journey import Applied
from attribution.types import ConversionEvent
from schemas.codec import RawRecord, Rejected
from schemas.events import ConversionWireEvent, TouchpointEvent
from stream_app.grouping import to_conversion_event

Event = TypeVar("Event", TouchpointEvent, ConversionWireEvent)

#: ``(customer_id, occurred_at_us, event_id)``
LateKey: TypeAlias = tuple[str, int, str]


_TOO_LATE: Final = (
    "older than the allowed lateness behind the newest event of this customer: "
    "raise ATTRIBUTION_ALLOWED_LATENESS_DAYS and send it again"
)


@dataclass(slots=True)
class Refusals:
    """What the journeys of one partition refused in one epoch; ``excess`` by customer id and content."""

    late: set[LateKey] = field(default_factory=set)
    excess: set[tuple[str, ConversionEvent]] = field(default_factory=set)

    def add(self, customer_id: str, applied: Applied) -> None:
        """Note what was refused for one customer."""
        self.late.update(late_keys(customer_id, applied))
        self.excess.update((customer_id, event) for event in applied.excess_conversions)


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
    rejected = [
        Rejected(record=record, reason="too_late", field="occurred_at", detail=_TOO_LATE)
        for record in records
        if record.offset in offsets
    ]
    return kept, rejected


def split_excess(
    events: Sequence[ConversionWireEvent],
    excess: Collection[tuple[str, ConversionEvent]],
    records: Sequence[RawRecord],
    bound: int,
) -> tuple[list[ConversionWireEvent], list[Rejected]]:
    """Conversions that count, and those beyond the bound as rejected original records; see ``split_late``."""
    kept: list[ConversionWireEvent] = []
    offsets = set()
    for event in events:
        if (event.customer_id, to_conversion_event(event)) in excess:
            offsets.add(event.offset)
        else:
            kept.append(event)
    detail = (
        f"this customer has {bound} conversions and corrections within the retention already: is the id shared? "
        "If not, raise ATTRIBUTION_MAX_CONVERSIONS and send it again"
    )
    rejected = [
        Rejected(record=record, reason="too_many_conversions", field="customer_id", detail=detail)
        for record in records
        if record.offset in offsets
    ]
    return kept, rejected
