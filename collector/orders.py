"""From the properties of a conversion event to the fields of a conversion or of its correction.

The value is the first of ``value``, ``revenue``, ``total``, as on the Kafka topics, and is never computed with here:
the check behind takes it to micros through ``Decimal``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from collector.mapped import first_label, label
from collector.names import Rule
from schemas.values import MAX_TEXT_BYTES

_ORDER: Final = ("order_id", "orderId", "transaction_id", "transactionId")
_VALUE: Final = ("value", "revenue", "total")
_CURRENCY: Final = ("currency", "currencyCode")
_PRODUCTS: Final = ("products", "items")
_encode: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


def conversion_fields(rule: Rule, name: str, properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """Fields without ids and times; None: a refund of nothing, which changes nothing."""
    fields: dict[str, Any] = {"conversion_type": rule.conversion_type, "properties": _kept(name, properties)}
    order, value = first_label(properties, _ORDER), _value(properties)
    if order is not None:
        fields["order_id"] = order
    if (currency := first_label(properties, _CURRENCY)) is not None:
        fields["currency"] = currency
    if value is not None and rule.effect in {"completed", "restated", "refunded"}:
        fields["value"] = value
    if rule.effect in {"refunded", "cancelled"}:
        if rule.effect == "refunded" and _is_zero(value):
            return None  # without a value, and with 0, a refund takes all
        fields["status"] = rule.effect
    if rule.effect not in {"completed", "lost"} and order is not None:
        fields["adjusts"] = order
    return fields


def names_an_order(properties: Mapping[str, Any]) -> bool:
    """Whether an order id was sent."""
    return first_label(properties, _ORDER) is not None


def _value(properties: Mapping[str, Any]) -> object:
    for name in _VALUE:
        raw = properties.get(name)
        if raw is not None and raw != "":
            return raw
    return None


def _is_zero(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().strip("0.") == "" and any(c == "0" for c in value)
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and value == 0


def _kept(name: str, properties: Mapping[str, Any]) -> dict[str, str]:
    """What is kept beside the fields: the event's name, the coupon, and the products as JSON where they fit."""
    kept = {"event": name}
    if (coupon := label(properties.get("coupon"))) is not None:
        kept["coupon"] = coupon
    for source in _PRODUCTS:
        products = properties.get(source)
        if isinstance(products, list) and products:
            kept["products"] = _as_json(products)
            break
    return {key: text for key, text in kept.items() if 0 < len(text.encode("utf-8", "replace")) <= MAX_TEXT_BYTES}


def _as_json(products: list[Any]) -> str:
    try:
        return _encode(products).decode()
    except (OverflowError, RecursionError, TypeError, UnicodeEncodeError):
        return ""
