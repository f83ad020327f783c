"""From canonical fields to an event: the one place that says what a valid event is, for JSON and Avro alike.

``to_event`` raises ``InvalidRecordError`` with the reason of the first rule that is broken: identity, time, the
rest in the order of the fields, and last that the record key fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attribution.types import UNATTRIBUTED
from schemas import values
from schemas.events import ConversionWireEvent, ErasureEvent, IdentityEvent, SpendEvent, TouchpointEvent
from schemas.records import InvalidRecordError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attribution.channels import ChannelRules
    from schemas.events import Event, EventKind
    from schemas.records import RawRecord

_Fields = dict[str, Any]

#: ``delete`` removes what a customer left; ``anonymize`` keeps the credits without ids, so that totals stay.
ERASURE_POLICIES: Final = ("delete", "anonymize")


def to_event(kind: EventKind, fields: _Fields, record: RawRecord, rules: ChannelRules) -> Event:
    """The event of a record's canonical fields; ``received_at_us`` and ``offset`` come from the record."""
    event = _BUILDERS[kind](fields, record, rules)
    if not isinstance(event, SpendEvent):
        check_key(event.customer_id, record.key)
    timestamp = record.timestamp
    event.received_at_us = max(0, timestamp * 1000)
    event.offset = record.offset
    return event


def check_key(customer_id: str, key: bytes | None) -> None:
    """A customer's records share a partition only if each is keyed by the customer id."""
    wanted = customer_id.encode()
    if key is None:
        raise InvalidRecordError("key_mismatch", "key", "the record has no key; send customer_id as UTF-8")
    if key != wanted:
        raise InvalidRecordError(
            "key_mismatch", "key", f"key of {len(key)} bytes is not the customer_id of {len(wanted)} bytes in UTF-8"
        )


def derive_channel(event: TouchpointEvent, rules: ChannelRules) -> None:
    """Fill gaps of an event without a channel from its page address, then name the channel by the rules."""
    landing = rules.landing(event.page_url)
    event.source = event.source or landing.source
    event.medium = event.medium or landing.medium
    event.campaign = event.campaign or (rules.campaign(landing.campaign) if landing.campaign else None)
    event.content = event.content or landing.content
    event.term = event.term or landing.term
    if landing.click_ids:
        event.click_ids = {**landing.click_ids, **(event.click_ids or {})}
    channel = rules.classify_landing(
        event.source, event.medium, event.campaign, event.referrer, landing, event.click_ids
    )
    if channel is None:
        raise InvalidRecordError(
            "excluded_referrer", "referrer", "returns from a payment gateway or an own domain: no touch"
        )
    event.channel = channel


def clean_channel(raw: str) -> str:
    """A channel as sent, without surrounding whitespace; ``""`` if none was sent."""
    channel = raw.strip()
    if channel.casefold() == UNATTRIBUTED:
        raise InvalidRecordError("reserved_channel", "channel", f"{UNATTRIBUTED!r} names conversions without a touch")
    return channel


def check_reference(event: ConversionWireEvent) -> None:
    """A refund or cancellation must say of what."""
    if event.status != "completed" and not event.adjusts and not event.order_id:
        raise InvalidRecordError("missing_reference", "adjusts", f"status {event.status} needs adjusts or order_id")


def _touchpoint(fields: _Fields, record: RawRecord, rules: ChannelRules) -> TouchpointEvent:
    event = TouchpointEvent(
        event_id=_required_id(fields, "event_id"),
        customer_id=_customer(fields),
        occurred_at_us=_time(fields, "occurred_at", record),
        channel=clean_channel(_text(fields, "channel") or ""),
        campaign=(rules.campaign(_text(fields, "campaign") or "")) or None,
        touch_type=_text(fields, "touch_type") or "visit",
        source=_text(fields, "source"),
        medium=_text(fields, "medium"),
        content=_text(fields, "content"),
        term=_text(fields, "term"),
        platform=_text(fields, "platform"),
        campaign_id=_label(fields, "campaign_id"),
        ad_group_id=_label(fields, "ad_group_id"),
        ad_id=_label(fields, "ad_id"),
        click_ids=_map(fields, "click_ids"),
        page_url=_text(fields, "page_url"),
        referrer=_text(fields, "referrer"),
        session_id=_label(fields, "session_id"),
        cost_micros=_money(fields, "cost") or 0,
        currency=_currency(fields),
        country=_text(fields, "country"),
        device_type=_text(fields, "device_type"),
        properties=_map(fields, "properties"),
    )
    if not event.channel:
        derive_channel(event, rules)
    return event


def _conversion(fields: _Fields, record: RawRecord, _rules: ChannelRules) -> ConversionWireEvent:
    value = _money(fields, "value")
    event = ConversionWireEvent(
        event_id=_required_id(fields, "event_id"),
        customer_id=_customer(fields),
        occurred_at_us=_time(fields, "occurred_at", record),
        conversion_type=_text(fields, "conversion_type") or "purchase",
        order_id=_id(fields, "order_id") or None,
        value_micros=value or 0,
        currency=_currency(fields) or "USD",
        status=values.status("status", fields["status"]) if "status" in fields else "completed",
        adjusts=_id(fields, "adjusts") or None,
        sent_at_us=_time(fields, "sent_at", record) if "sent_at" in fields else None,
        properties=_map(fields, "properties"),
    )
    check_reference(event)
    if event.adjusts and event.status == "completed" and value is None:
        raise InvalidRecordError("missing_field", "value", "a restatement (completed with adjusts) needs the new value")
    return event


def _identity(fields: _Fields, record: RawRecord, _rules: ChannelRules) -> IdentityEvent:
    event = IdentityEvent(
        event_id=_required_id(fields, "event_id"),
        customer_id=_customer(fields),
        previous_id=_required_id(fields, "previous_id"),
        occurred_at_us=_time(fields, "occurred_at", record),
        traits=_map(fields, "traits"),
    )
    if event.previous_id == event.customer_id:
        raise InvalidRecordError("identity_cycle", "previous_id", "is the same as customer_id")
    return event


def _spend(fields: _Fields, record: RawRecord, rules: ChannelRules) -> SpendEvent:
    event_id = _required_id(fields, "event_id")
    day = values.day_number("spend_date", fields.get("spend_date"))
    values.plausible("spend_date", day * values.DAY_US, record.timestamp)
    channel = clean_channel(_text(fields, "channel") or "")
    if not channel:
        raise InvalidRecordError("missing_field", "channel", "is required for spend")
    cost = _money(fields, "cost")
    if cost is None:
        raise InvalidRecordError("missing_field", "cost", "is required; send cost or cost_micros")
    currency = _currency(fields)
    if currency is None:
        raise InvalidRecordError("missing_field", "currency", "is required; send three letters such as EUR")
    return SpendEvent(
        event_id=event_id,
        spend_day=day,
        channel=channel,
        cost_micros=cost,
        currency=currency,
        campaign=rules.campaign(_text(fields, "campaign") or "") or None,
        campaign_id=_label(fields, "campaign_id"),
        source=_text(fields, "source"),
        impressions=values.whole("impressions", fields.get("impressions", 0)),
        clicks=values.whole("clicks", fields.get("clicks", 0)),
    )


def _erasure(fields: _Fields, record: RawRecord, _rules: ChannelRules) -> ErasureEvent:
    policy = (_text(fields, "policy") or "delete").strip().lower()
    if policy not in ERASURE_POLICIES:
        raise InvalidRecordError("bad_policy", "policy", f"{shown(policy)} is not {' or '.join(ERASURE_POLICIES)}")
    return ErasureEvent(
        event_id=_required_id(fields, "event_id"),
        customer_id=_customer(fields),
        requested_at_us=_time(fields, "requested_at", record),
        policy=policy,
    )


_BUILDERS: Final[Mapping[EventKind, Callable[[_Fields, RawRecord, ChannelRules], Event]]] = {
    "touchpoint": _touchpoint,
    "conversion": _conversion,
    "identity": _identity,
    "spend": _spend,
    "erasure": _erasure,
}


def _id(fields: _Fields, name: str) -> str:
    raw = fields.get(name)
    return "" if raw is None else values.text(name, raw, values.MAX_ID_BYTES)


def _required_id(fields: _Fields, name: str) -> str:
    text = _id(fields, name)
    if not text or text.isspace():
        raise InvalidRecordError("missing_field", name, "is required and must not be blank")
    return text


def _customer(fields: _Fields) -> str:
    text = _id(fields, "customer_id")
    if not text or text.isspace():
        raise InvalidRecordError("missing_identity", "customer_id", "is required; send a user id, else a device id")
    return text


def _time(fields: _Fields, name: str, record: RawRecord) -> int:
    return values.plausible(name, values.time_us(name, fields.get(name)), record.timestamp)


def _text(fields: _Fields, name: str) -> str | None:
    raw = fields.get(name)
    return None if raw is None else values.text(name, raw)


def _label(fields: _Fields, name: str) -> str | None:
    raw = fields.get(name)
    return None if raw is None else values.label(name, raw)


def _map(fields: _Fields, name: str) -> dict[str, str] | None:
    raw = fields.get(name)
    return None if raw is None else values.text_map(name, raw)


def _currency(fields: _Fields) -> str | None:
    raw = fields.get("currency")
    return None if raw is None else values.currency("currency", raw)


def _money(fields: _Fields, name: str) -> int | None:
    """Micros from ``<name>_micros``, else from ``<name>`` in currency units; both must agree."""
    raw_micros, raw_units = fields.get(f"{name}_micros"), fields.get(name)
    exact = None if raw_micros is None else values.whole(f"{name}_micros", raw_micros)
    if raw_units is None:
        return exact
    amount = values.micros(name, raw_units)
    if exact is not None and exact != amount:
        raise InvalidRecordError("bad_amount", name, f"contradicts {name}_micros; send one of the two")
    return amount
