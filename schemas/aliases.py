"""Names that other tools give to our fields, and where in their messages the fields are.

``canonical`` turns a decoded message into a flat mapping of canonical names. A message that carries ``event_id`` is
ours: only its top level is read, and ``properties`` stay opaque. A message without it that carries a vendor's marks
(``messageId``, ``anonymousId``, ``context`` …) is read in its nested places too. The outer place wins over the inner
one, and in one place the first name of the list wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.events import EventKind

_ID: Final = {
    "event_id": ("event_id", "eventId", "id", "messageId", "message_id", "uuid", "$insert_id"),
    "customer_id": (
        "customer_id", "customerId", "userId", "user_id", "stitched_user_id",
        "anonymousId", "anonymous_id", "client_id", "distinct_id", "domain_userid",
    ),
}  # fmt: skip  # one line per field reads as a table
_AT: Final = {
    "occurred_at": (
        "occurred_at", "occurredAt", "timestamp", "originalTimestamp", "derived_tstamp", "timestamp_micros",
        "event_time",
    ),
}  # fmt: skip  # same
_BAG: Final = {"properties": ("properties",)}
_CLICK_IDS: Final = (
    "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "li_fat_id", "twclid", "yclid",
)  # fmt: skip  # same

_NAMES: Final[dict[EventKind, dict[str, tuple[str, ...]]]] = {
    "touchpoint": _ID | _AT | _BAG | {
        "channel": ("channel", "channel_id", "marketing_channel"),
        "touch_type": ("touch_type", "touchType"),
        "platform": ("platform",),
        "source": ("source", "utm_source", "mkt_source"),
        "medium": ("medium", "utm_medium", "mkt_medium"),
        "campaign": ("campaign", "utm_campaign", "mkt_campaign", "campaign_name", "campaignName"),
        "content": ("content", "utm_content", "mkt_content"),
        "term": ("term", "utm_term", "mkt_term"),
        "campaign_id": ("campaign_id", "campaignId", "utm_id"),
        "ad_group_id": ("ad_group_id", "adGroupId", "adset_id"),
        "ad_id": ("ad_id", "adId"),
        "click_ids": ("click_ids", "clickIds"),
        "page_url": ("page_url", "pageUrl", "url", "page_location", "$current_url"),
        "referrer": ("referrer", "referer", "page_referrer", "$referrer"),
        "session_id": ("session_id", "sessionId", "domain_sessionid", "$session_id"),
        "cost": ("cost",),
        "cost_micros": ("cost_micros", "costMicros"),
        "currency": ("currency", "currencyCode"),
        "country": ("country", "geo_country"),
        "device_type": ("device_type", "deviceType", "$device_type"),
    },
    "conversion": _ID | _AT | _BAG | {
        "conversion_type": ("conversion_type", "conversionType", "cv_type"),
        "event_name": ("event", "event_name"),
        "order_id": ("order_id", "orderId", "transaction_id", "transactionId", "cv_id"),
        "value": ("value", "revenue", "total", "cv_value"),
        "value_micros": ("value_micros", "valueMicros"),
        "currency": ("currency", "currencyCode"),
        "status": ("status",),
        "adjusts": ("adjusts",),
        "sent_at": ("sent_at",),  # not a vendor's sentAt: that changes with every try to send
    },
    "identity": _ID | _AT | {
        "previous_id": ("previous_id", "previousId", "alias", "anonymousId", "anonymous_id", "$anon_distinct_id"),
        "traits": ("traits",),
    },
    "spend": {
        "event_id": _ID["event_id"],
        "spend_date": ("spend_date", "spendDate", "date"),
        "channel": ("channel", "channel_id"),
        "campaign": ("campaign", "campaign_name", "campaignName"),
        "campaign_id": ("campaign_id", "campaignId"),
        "source": ("source",),
        "cost": ("cost", "spend"),
        "cost_micros": ("cost_micros", "costMicros"),
        "currency": ("currency", "currencyCode"),
        "impressions": ("impressions",),
        "clicks": ("clicks",),
    },
    "erasure": _ID | {
        "requested_at": ("requested_at", "requestedAt", "occurred_at", "timestamp"),
        "policy": ("policy",),
    },
}  # fmt: skip  # same

#: A message with one of these, and without ``event_id``, has a vendor's shape.
_VENDOR_MARKS: Final = frozenset(
    {"messageId", "anonymousId", "userId", "originalTimestamp", "context", "uuid", "distinct_id", "client_id"}
)
#: What RudderStack calls a channel is the platform on which the event happened.
_PLATFORMS: Final = frozenset({"web", "mobile", "server", "sources"})
#: (place, its own names for our fields), outer places first.
_PLACES: Final[tuple[tuple[tuple[str, ...], dict[str, str]], ...]] = (
    (("properties",), {}),
    (("params",), {}),
    (("context", "campaign"), {"name": "campaign", "source": "source", "medium": "medium", "term": "term",
                               "content": "content", "id": "campaign_id"}),
    (("context", "page"), {"url": "page_url", "referrer": "referrer"}),
    (("context", "device"), {"type": "device_type"}),
)  # fmt: skip  # same
#: Fields that only the top level may say: a bag of properties uses these words for other things.
_TOP_ONLY: Final = frozenset(
    {"event_id", "customer_id", "occurred_at", "sent_at", "channel", "status", "source", "event_name"}
)

#: Event names of shops and CRMs -> (conversion type, status if the name says one).
EVENT_NAMES: Final[dict[str, tuple[str, str | None]]] = {
    "order completed": ("purchase", None),
    "purchase": ("purchase", None),
    "order refunded": ("purchase", "refunded"),
    "refund": ("purchase", "refunded"),
    "order cancelled": ("purchase", "cancelled"),
    "order canceled": ("purchase", "cancelled"),
    "generate_lead": ("lead_created", None),
    "close_convert_lead": ("closed_won", None),
}


def canonical(kind: EventKind, message: Mapping[str, Any]) -> dict[str, Any]:
    """The message under canonical names; what has no canonical name is left out. Null counts as absent."""
    names = _NAMES[kind]
    found = _pick_known(_BY_ALIAS[kind], message)
    vendor = "event_id" not in message and not _VENDOR_MARKS.isdisjoint(message)
    if vendor:
        for path, own_names in _PLACES:
            place: Any = message
            for step in path:
                place = place.get(step) if isinstance(place, dict) else None
            if isinstance(place, dict):
                _add_nested(found, names, place, own_names)
        channel = found.get("channel")
        if isinstance(channel, str) and channel.strip().lower() in _PLATFORMS:
            found.setdefault("platform", found.pop("channel"))
    if kind == "touchpoint":
        _add_click_ids(found, [message, message.get("properties")] if vendor else [message])
    if kind == "conversion":
        _name_conversion(found)
    return found


def conversion_type_of(event_name: str) -> str | None:
    """The conversion type that a known event name of a shop or CRM stands for."""
    known = EVENT_NAMES.get(_fold(event_name))
    return known[0] if known else None


def _fold(name: str) -> str:
    return " ".join(name.lower().split())


def _ranked(names: Mapping[str, tuple[str, ...]]) -> dict[str, list[tuple[str, int]]]:
    """Aliases with the canonical names that each may stand for, and its place in the list of that name."""
    found: dict[str, list[tuple[str, int]]] = {}
    for canonical_name, aliases in names.items():
        for rank, alias in enumerate(aliases):
            found.setdefault(alias, []).append((canonical_name, rank))
    return found


_BY_ALIAS: Final = {kind: _ranked(names) for kind, names in _NAMES.items()}


def _pick_known(by_alias: Mapping[str, list[tuple[str, int]]], message: Mapping[str, Any]) -> dict[str, Any]:
    """What ``_pick`` finds, by way of the message, which is shorter than the lists."""
    found: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    for name, value in message.items():
        if value is None:
            continue
        for canonical_name, rank in by_alias.get(name, ()):
            if rank < ranks.get(canonical_name, rank + 1):
                found[canonical_name], ranks[canonical_name] = value, rank
    return found


def _pick(names: Mapping[str, tuple[str, ...]], place: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for canonical_name, aliases in names.items():
        for alias in aliases:
            value = place.get(alias)
            if value is not None:
                found[canonical_name] = value
                break
    return found


def _add_nested(
    found: dict[str, Any], names: Mapping[str, tuple[str, ...]], place: Mapping[str, Any], own_names: Mapping[str, str]
) -> None:
    if own_names:
        nested = {ours: place[theirs] for theirs, ours in own_names.items() if place.get(theirs) is not None}
    else:
        nested = _pick({name: aliases for name, aliases in names.items() if name not in _TOP_ONLY}, place)
    for name, value in nested.items():
        if name in names:
            found.setdefault(name, value)


def _add_click_ids(found: dict[str, Any], places: Sequence[Any]) -> None:
    loose = {
        name: place[name]
        for place in places
        if isinstance(place, dict)
        for name in _CLICK_IDS
        if isinstance(place.get(name), str)
    }
    if loose and isinstance(found.get("click_ids", {}), dict):
        found["click_ids"] = loose | found.get("click_ids", {})


def _name_conversion(found: dict[str, Any]) -> None:
    """The event's name stands in for a type that was not sent, and says whether it takes an order back."""
    name = found.pop("event_name", None)
    if "conversion_type" in found or not isinstance(name, str) or not name.strip():
        return
    folded = _fold(name)
    conversion_type, status = EVENT_NAMES.get(folded, (folded.replace(" ", "_"), None))
    found["conversion_type"] = conversion_type
    if status is not None:
        found.setdefault("status", status)
