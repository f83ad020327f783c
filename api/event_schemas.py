"""JSON Schemas of the events that ``POST /api/v1/data/…`` takes, for the description and clients made from it.

They name the canonical fields. What they cannot say is checked by ``schemas.normalise`` all the same: other spellings
of a field, plausible times, references between fields (docs/wire.md). Unknown fields are passed over.
"""

from __future__ import annotations

from typing import Any, Final

from attribution.money import MAX_MICROS
from schemas.codec import EventKind
from schemas.values import EARLIEST_US, MAX_ID_BYTES, MAX_TEXT_BYTES, STATUSES

Schema = dict[str, Any]

_EARLIEST_S: Final = EARLIEST_US // 1_000_000
_ID: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES, "pattern": r"\S"}
_OPTIONAL_ID: Final[Schema] = {"type": ["string", "null"], "maxLength": MAX_ID_BYTES}
_TEXT: Final[Schema] = {"type": ["string", "null"], "maxLength": MAX_TEXT_BYTES}
_LABEL: Final[Schema] = {"type": ["string", "integer", "null"], "maxLength": MAX_TEXT_BYTES}
_COUNT: Final[Schema] = {
    "type": ["integer", "string", "null"],
    "minimum": 0,
    "maximum": MAX_MICROS,
    "pattern": r"^\s*\d{1,25}\s*$",
    "description": "A text is for languages whose numbers end at 2^53.",
}
_MAP: Final[Schema] = {"type": ["object", "null"], "description": "Values become text, nested ones JSON."}
_CURRENCY: Final[Schema] = {"type": ["string", "null"], "pattern": "^[A-Za-z]{3}$", "description": "ISO 4217."}
_TIME: Final[Schema] = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": _EARLIEST_S, "exclusiveMaximum": 1e20},
    ],
    "description": "ISO-8601 (UTC when it has no zone) or an epoch in s, ms or us; from 2000 on, not in the future.",
}
_AMOUNT: Final[Schema] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": MAX_MICROS / 1e6},
        {"type": "string", "pattern": r"^\s*\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"},
        {"type": "null"},
    ],
    "description": "In currency units, at most six decimals; a string keeps every digit.",
}
_MICROS: Final[Schema] = {**_COUNT, "description": "The same amount, exactly; instead of the other field."}
_EVENT_ID: Final[Schema] = {
    **_ID,
    "type": ["string", "null"],
    "description": "The same id is the same event; left out, it follows from the content.",
}


def _touchpoint() -> Schema:
    texts = ("campaign", "source", "medium", "content", "term", "platform", "page_url", "referrer", "country")
    labels = ("campaign_id", "ad_group_id", "ad_id", "session_id")
    return {
        "customer_id": _ID,
        "occurred_at": _TIME,
        "channel": {**_TEXT, "description": "Left out, it is derived from source, medium, page and referrer."},
        "touch_type": {**_TEXT, "description": "visit, click, impression, email_open, … or a name of your own."},
        **dict.fromkeys((*texts, "device_type"), _TEXT),
        **dict.fromkeys(labels, _LABEL),
        "cost": _AMOUNT,
        "cost_micros": _MICROS,
        "currency": _CURRENCY,
        "click_ids": _MAP,
        "properties": _MAP,
    }


def _conversion() -> Schema:
    return {
        "customer_id": _ID,
        "occurred_at": _TIME,
        "conversion_type": {**_TEXT, "description": "purchase when left out."},
        "order_id": {**_OPTIONAL_ID, "description": "With the type it names the conversion."},
        "value": _AMOUNT,
        "value_micros": _MICROS,
        "currency": _CURRENCY,
        "status": {"enum": [*sorted(STATUSES), None]},
        "adjusts": {**_OPTIONAL_ID, "description": "The event or order that this one corrects."},
        "properties": _MAP,
    }


_SPEND: Final[Schema] = {
    "spend_date": {"type": "string", "format": "date"},
    "channel": {**_ID, "maxLength": MAX_TEXT_BYTES},
    "cost": {**_AMOUNT, "anyOf": _AMOUNT["anyOf"][:-1]},
    "currency": {**_CURRENCY, "type": "string"},
    "campaign": _TEXT,
    "campaign_id": _LABEL,
    "source": _TEXT,
    "impressions": _COUNT,
    "clicks": _COUNT,
}
_IDENTITY: Final[Schema] = {
    "customer_id": {**_ID, "description": "The id that survives."},
    "previous_id": _ID,
    "occurred_at": _TIME,
    "traits": _MAP,
}


def _event(title: str, required: list[str], properties: Schema) -> Schema:
    return {
        "title": title,
        "type": "object",
        "required": required,
        "properties": {"event_id": _EVENT_ID, **properties},
    }


#: By kind; the name of each is its ``title``.
EVENTS: Final[dict[EventKind, Schema]] = {
    "touchpoint": _event("TouchpointEvent", ["customer_id", "occurred_at"], _touchpoint()),
    "conversion": _event("ConversionEvent", ["customer_id", "occurred_at"], _conversion()),
    "spend": _event("SpendEvent", ["spend_date", "channel", "cost", "currency"], _SPEND),
    "identity": _event("IdentityEvent", ["customer_id", "previous_id", "occurred_at"], _IDENTITY),
}
