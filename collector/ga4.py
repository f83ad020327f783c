"""Payloads of GA4's Measurement Protocol: who, when, and a list of events.

``timestamp_micros`` is taken by its size, since milliseconds and seconds are sent under that name; what is then still
no plausible time is refused with a reason, where GA4 drops it without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.ids import EventIds, Person, link, person
from collector.mapped import Mapped, Read, ShapeError, label, place
from collector.names import GA4_VISITS, Names
from collector.orders import conversion_fields, names_an_order
from collector.touches import ga4_touch, says_how
from schemas import values
from schemas.events import EventKind
from schemas.records import InvalidRecordError


def read_payload(payload: object, *, received_us: int, names: Names) -> list[Read]:
    """Every event of a payload, in order.

    Raises:
        ShapeError: the body is no payload.
    """
    if not isinstance(payload, Mapping) or not isinstance(payload.get("events"), list):
        raise ShapeError("events", 'send {"client_id": ..., "events": [{"name": ..., "params": {...}}]}')
    ids = EventIds(received_us)
    shared = {name: value for name, value in payload.items() if name != "events"}
    return [_read(shared, event, ids, received_us, names) for event in payload["events"]]


def _read(shared: Mapping[str, Any], event: object, ids: EventIds, received_us: int, names: Names) -> Read:
    message = {**shared, "event": event}
    kind: EventKind = "touchpoint"
    customer_id = None
    try:
        name, event = _named(event)
        if names.conversion(name) is not None:
            kind = "conversion"
        device = shared.get("client_id") or shared.get("app_instance_id")
        who = person(shared.get("user_id"), device, "user_id nor client_id")
        customer_id = who.customer_id
        stamped = next(
            (t for t in (event.get("timestamp_micros"), shared.get("timestamp_micros")) if t is not None), None
        )
        at_us = received_us if stamped is None else values.time_us("timestamp_micros", stamped)
        events = _events(name, message, place(event, "params"), who, at_us, stamped is not None, ids, names)
        return Read(message, kind, customer_id, events)
    except InvalidRecordError as refusal:
        return Read(message, kind, customer_id, (), refusal)


def _named(event: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(event, Mapping):
        raise InvalidRecordError("undecodable", "", f"no JSON object but {type(event).__name__}")
    name = label(event.get("name"))
    if name is None:
        raise InvalidRecordError("missing_field", "name", "is required for an event")
    return name, event


def _events(
    name: str,
    message: Mapping[str, Any],
    params: Mapping[str, Any],
    who: Person,
    at_us: int,
    has_time: bool,
    ids: EventIds,
    names: Names,
) -> list[Mapped]:
    found, rule = link(who, at_us), names.conversion(name)
    kind: EventKind = "conversion"
    fields: dict[str, Any] | None
    if rule is not None:
        fields = conversion_fields(rule, name, params)
        has_time = has_time or names_an_order(params)
    else:
        kind, fields = "touchpoint", ga4_touch(name, params)
        if name not in GA4_VISITS and not names.is_touch(name, says_how=says_how(fields)):
            fields = None
    if fields is None:
        return found
    fields |= {
        "event_id": ids.of(f"ga4:{kind}", message, has_own_time=has_time),
        "customer_id": who.customer_id,
        "occurred_at": at_us,
    }
    return [*found, Mapped(kind, fields)]
