"""Wire events in the core's own form, grouped by customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

from attribution.types import ConversionEvent, Status, Touch
from schemas.events import ConversionWireEvent, TouchpointEvent

#: Touches and conversions by customer, in order of arrival.
Todo: TypeAlias = dict[str, tuple[list[Touch], list[ConversionEvent]]]


def to_touch(event: TouchpointEvent) -> Touch:
    """The part of a touchpoint that journeys keep."""
    return (event.occurred_at_us, event.event_id, event.channel, event.campaign or "")


def to_conversion_event(event: ConversionWireEvent) -> ConversionEvent:
    """The part of a conversion or correction that journeys keep."""
    return ConversionEvent(
        event.occurred_at_us,
        event.event_id,
        event.conversion_type,
        event.order_id or "",
        event.value_micros,
        event.currency,
        cast(Status, event.status),
        event.adjusts or "",
        event.sent_at_us or 0,
    )


def by_customer(touchpoints: Sequence[TouchpointEvent], conversions: Sequence[ConversionWireEvent]) -> Todo:
    """Events of each customer, in order of arrival."""
    todo: Todo = {}
    get = todo.get
    for e in touchpoints:
        touch = (e.occurred_at_us, e.event_id, e.channel, e.campaign or "")  # to_touch, without the call
        entry = get(e.customer_id)
        if entry is None:
            todo[e.customer_id] = ([touch], [])
        else:
            entry[0].append(touch)
    for c in conversions:
        todo.setdefault(c.customer_id, ([], []))[1].append(to_conversion_event(c))
    return todo
