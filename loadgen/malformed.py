"""Broken records, one of each way in which real producers break them, with the reason the codec must give.

A damage takes the wire mapping of a valid event (canonical JSON names), its record key and, for Avro damages, its
Avro bytes. Every payload holds something of its own event, so that two broken records differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from schemas.reasons import Reason

Wire: TypeAlias = dict[str, Any]


class Broken(NamedTuple):
    """Key and value of a record that must be rejected."""

    key: bytes
    value: bytes


class Damage(NamedTuple):
    """A way to break an event; ``make`` gets the wire mapping, the key and the Avro bytes."""

    reason: Reason
    make: Callable[[Wire, bytes, bytes], Broken]


_json = msgspec.json.encode


def _set(reason: Reason, field: str, value: object) -> Damage:
    return Damage(reason, lambda wire, key, _: Broken(key, _json({**wire, field: value})))


def _without(reason: Reason, *fields: str) -> Damage:
    return Damage(reason, lambda wire, key, _: Broken(key, _json({k: v for k, v in wire.items() if k not in fields})))


_ANY_EVENT: Final = (
    Damage("empty", lambda _wire, key, _avro: Broken(key, b"")),
    Damage("undecodable", lambda wire, key, _: Broken(key, _json(wire)[:-7])),
    Damage("undecodable", lambda wire, key, _: Broken(key, b"event " + wire["event_id"].encode())),
    Damage("undecodable", lambda wire, key, _: Broken(key, _json(wire)[:-1] + b',"note":"\xff\xfe"}')),
    Damage("undecodable", lambda wire, key, _: Broken(key, b"[" + _json(wire) + b"]")),
    Damage("undecodable", lambda _, key, avro: Broken(key, avro[:-3])),
    Damage("undecodable", lambda _, key, avro: Broken(key, avro + b"\x07")),
    Damage("unknown_schema", lambda _, key, avro: Broken(key, b"\x00\x7f\xff\xff\xff" + avro[5:])),
    _without("missing_field", "event_id"),
    _without("missing_field", "occurred_at"),
    _without("missing_identity", "customer_id"),
    _set("wrong_type", "event_id", {"id": 1}),
    _set("bad_timestamp", "occurred_at", "yesterday"),
    _set("implausible_time", "occurred_at", 0),
    _set("implausible_time", "occurred_at", "3024-05-01T00:00:00Z"),
    _set("bad_currency", "currency", "DOLLAR"),
    Damage("too_long", lambda wire, key, _: Broken(key, _json({**wire, "event_id": wire["event_id"] * 30}))),
    Damage("key_mismatch", lambda wire, key, _: Broken(b"not-" + key, _json(wire))),
)

TOUCH_DAMAGES: Final = (
    *_ANY_EVENT,
    _set("wrong_type", "campaign", ["spring"]),
    _set("bad_amount", "cost", "12,50"),
    _set("negative_value", "cost", -1.5),
    _set("reserved_channel", "channel", "unattributed"),
)

CONVERSION_DAMAGES: Final = (
    *_ANY_EVENT,
    _set("wrong_type", "value", [12]),
    _set("bad_amount", "value", "NaN"),
    _set("bad_amount", "value", "1e40"),
    _set("negative_value", "value", -20),
    _set("bad_status", "status", "maybe"),
    Damage(
        "missing_reference",
        lambda wire, key, _: Broken(
            key, _json({k: v for k, v in {**wire, "status": "refunded"}.items() if k not in ("order_id", "adjusts")})
        ),
    ),
)

#: Enough numbers for either list; the list is chosen by the kind of event and the number folded into it.
DAMAGE_NUMBERS: Final = len(TOUCH_DAMAGES) * len(CONVERSION_DAMAGES)
