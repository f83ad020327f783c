"""Messages of Segment's spec: ``track identify page screen alias group``, alone or in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from collector.ids import EventIds, Person, identifier, link, person
from collector.mapped import Mapped, Read, ShapeError, label, place
from collector.names import Names
from collector.orders import conversion_fields, names_an_order
from collector.times import segment_time_us
from collector.touches import says_how, segment_touch
from schemas.events import EventKind
from schemas.records import InvalidRecordError, shown

TYPES: Final = ("track", "identify", "page", "screen", "alias", "group")
#: A tuple: a message may say anything for its type, also what cannot be hashed.
_OF_IDENTITY: Final = ("alias", "identify", "group")


def read_batch(body: object, *, received_us: int, names: Names) -> list[Read]:
    """Every message of ``{"batch": [...], "sentAt": ..., "context": ...}``, in order.

    Raises:
        ShapeError: the body is no batch.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("batch"), list):
        raise ShapeError("batch", 'send {"batch": [...]} with one message of Segment\'s spec in each place')
    ids = EventIds(received_us)
    shared = place(body, "context")
    return [_read(message, None, body.get("sentAt"), shared, ids, received_us, names) for message in body["batch"]]


def read_message(kind: str, body: object, *, received_us: int, names: Names) -> Read:
    """The one message of a body, of a type that the path says.

    Raises:
        ShapeError: the body is no object.
    """
    if not isinstance(body, Mapping):
        raise ShapeError("body", "send one message of Segment's spec as a JSON object")
    return _read(body, kind, None, {}, EventIds(received_us), received_us, names)


def _read(
    message: object,
    kind: str | None,
    sent_at: object,
    shared: Mapping[str, Any],
    ids: EventIds,
    received_us: int,
    names: Names,
) -> Read:
    meant, customer_id = _meant(message, kind, names), None
    try:
        of_type, whole = _typed(message, kind, shared)
        who = person(whole.get("userId"), whole.get("anonymousId"), "userId nor anonymousId")
        customer_id = who.customer_id
        at_us = segment_time_us(whole, whole.get("sentAt") or sent_at, received_us)
        return Read(message, meant, customer_id, _events(of_type, whole, who, at_us, ids, names))
    except InvalidRecordError as refusal:
        return Read(message, meant, customer_id, (), refusal)


def _typed(message: object, kind: str | None, shared: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The type of a message, and the message with the context that its batch shares."""
    if not isinstance(message, Mapping):
        raise InvalidRecordError("undecodable", "", f"no JSON object but {type(message).__name__}")
    of_type = kind or message.get("type")
    if of_type is None:
        raise InvalidRecordError("missing_field", "type", f"is required; one of {', '.join(TYPES)}")
    if of_type not in TYPES:
        raise InvalidRecordError("wrong_type", "type", f"wants one of {', '.join(TYPES)}, got {shown(of_type)}")
    return of_type, {**message, "context": {**shared, **place(message, "context")}} if shared else message


def _events(
    kind: str, message: Mapping[str, Any], who: Person, at_us: int, ids: EventIds, names: Names
) -> list[Mapped]:
    found = link(who, at_us)
    name, properties = _name(kind, message), place(message, "properties")
    fields: dict[str, Any] | None = None
    event_kind: EventKind = "touchpoint"
    if kind == "alias":
        event_kind, fields = "identity", _alias(message, who)
    elif kind in {"track", "page", "screen"}:
        rule = names.conversion(name) if kind == "track" else None
        if rule is not None:
            event_kind, fields = "conversion", conversion_fields(rule, name, properties)
        else:
            fields = segment_touch(kind, name, message)
            if kind == "track" and not names.is_touch(name, says_how=says_how(fields)):
                fields = None
    if fields is None:
        return found
    fields["event_id"] = _event_id(event_kind, message, properties, ids)
    fields["occurred_at"] = at_us
    fields.setdefault("customer_id", who.customer_id)
    return [*found, Mapped(event_kind, fields)]


def _name(kind: str, message: Mapping[str, Any]) -> str:
    """What the message is called.

    Raises:
        InvalidRecordError: a track message without ``event``.
    """
    if kind != "track":
        return label(message.get("name")) or ""
    name = label(message.get("event"))
    if name is None:
        raise InvalidRecordError("missing_field", "event", "is required for track")
    return name


def _alias(message: Mapping[str, Any], who: Person) -> dict[str, Any] | None:
    """``previousId`` is a former id of the user; an id that is its own former id says nothing."""
    previous = identifier("previousId", message.get("previousId")) or who.device_id
    if previous is None:
        raise InvalidRecordError("missing_field", "previousId", "is required for alias")
    return None if previous == who.customer_id else {"previous_id": previous}


def _event_id(kind: EventKind, message: Mapping[str, Any], properties: Mapping[str, Any], ids: EventIds) -> str:
    given = identifier("messageId", message.get("messageId"))
    if given is not None:
        return given
    has_time = message.get("timestamp") is not None or message.get("originalTimestamp") is not None
    is_order = kind == "conversion" and names_an_order(properties)
    return ids.of(kind, message, has_own_time=has_time or is_order)


def _meant(message: object, kind: str | None, names: Names) -> EventKind:
    if isinstance(message, Mapping):
        of_type = kind or message.get("type")
        if of_type in _OF_IDENTITY:
            return "identity"
        if of_type == "track" and names.conversion(label(message.get("event")) or "") is not None:
            return "conversion"
    return "touchpoint"
