"""The shapes in which events are read and written as JSON: each event struct under the names of the wire.

A wire struct is a subclass with the same layout as its event, so that a decoded instance becomes the event by
changing its class, without a copy. It refuses unknown names: whatever is unusual goes the long way through
``aliases`` and ``normalise``.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.events import ConversionWireEvent, ErasureEvent, IdentityEvent, SpendEvent, TouchpointEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.events import Event, EventKind

EVENT_TYPES: Final[Mapping[EventKind, type[Event]]] = {
    "touchpoint": TouchpointEvent,
    "conversion": ConversionWireEvent,
    "identity": IdentityEvent,
    "spend": SpendEvent,
    "erasure": ErasureEvent,
}
#: Fields of the record, which a message cannot set.
RECORD_FIELDS: Final = frozenset({"received_at_us", "offset"})

_WIRE_NAMES: Final = {
    "occurred_at_us": "occurred_at",
    "requested_at_us": "requested_at",
    "sent_at_us": "sent_at",
    "spend_day": "spend_date",
}
#: Fields that a message may leave out or write otherwise than the event holds them.
_WIRE_FIELDS: Final[Mapping[EventKind, list[Any]]] = {
    "touchpoint": [("occurred_at_us", int | str), ("channel", str | None, None)],
    "conversion": [
        ("occurred_at_us", int | str),
        ("conversion_type", str | None, None),
        ("currency", str | None, None),
        ("status", str | None, None),
        ("sent_at_us", int | str | None, None),
    ],
}
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


@cache
def wire_type(kind: EventKind, *, strict: bool = True) -> Any:
    """The wire struct of a kind; ``strict`` refuses unknown names."""
    base = EVENT_TYPES[kind]
    return msgspec.defstruct(
        f"{base.__name__}OnTheWire",
        _WIRE_FIELDS.get(kind, []),
        bases=(base,),
        kw_only=True,
        gc=False,
        forbid_unknown_fields=strict,
        rename=_WIRE_NAMES,
    )


def wire_fields(event: Event) -> dict[str, Any]:
    """The event under wire names, without absent fields and without those of the record."""
    return {wire: value for name, wire in _names_of(type(event)) if (value := getattr(event, name)) is not None}


@cache
def _names_of(kind: type[Event]) -> tuple[tuple[str, str], ...]:
    """Fields of an event with their names on the wire, without those of the record."""
    return tuple((n, _WIRE_NAMES.get(n, n)) for n in kind.__struct_fields__ if n not in RECORD_FIELDS)


def encode_json(event: Event) -> bytes:
    """One JSON object with canonical names; times are epoch microseconds, money is micros."""
    fields = wire_fields(event)
    if "spend_date" in fields:
        fields["spend_date"] = date.fromordinal(fields["spend_date"] + _EPOCH_DAY).isoformat()
    return msgspec.json.encode(fields)
