"""Events as lines of NDJSON, and how many lines go into one call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from attribution_client.money import to_text

#: Of the service: events of one call, bytes of one event. Of a body it unpacks 32 MB; half of that is enough.
MAX_EVENTS: Final = 10_000
MAX_EVENT_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 16_000_000
_AMOUNTS: Final = frozenset({"cost", "value", "revenue", "total"})


def plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event for JSON: None is left out, times are ISO-8601, amounts are texts.

    Raises:
        TypeError: an amount that is a float.
        ValueError: a time without a zone.
    """
    return {name: _value(name, value) for name, value in event.items() if value is not None}


def line(event: Mapping[str, Any]) -> bytes:
    """One line without its end.

    Raises:
        TypeError: a value that JSON cannot carry, or an amount that is a float.
        ValueError: a time without a zone, NaN, half a surrogate pair, or more than 1 MiB.
    """
    encoded = _ENCODER.encode(plain(event)).encode()
    if len(encoded) > MAX_EVENT_BYTES:
        raise ValueError(f"the event has {len(encoded)} bytes; the service takes {MAX_EVENT_BYTES}")
    return encoded


def joined(found: Sequence[bytes]) -> bytes:
    """One body.

    Raises:
        ValueError: more than one call may carry.
    """
    size = sum(map(len, found)) + len(found)
    if len(found) > MAX_EVENTS or size > MAX_BODY_BYTES:
        raise ValueError(
            f"{len(found)} events of {size} bytes; one call takes {MAX_EVENTS} and {MAX_BODY_BYTES}: "
            "send the parts that in_calls() gives, or use track() and conversion()"
        )
    return b"\n".join(found)


def in_calls(events: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The events in lists that each fit one call, in order.

    Raises:
        TypeError, ValueError: as ``line``.
    """
    part: list[Mapping[str, Any]] = []
    size = 0
    for event in events:
        more = len(line(event)) + 1
        if part and (len(part) == MAX_EVENTS or size + more > MAX_BODY_BYTES):
            yield part
            part, size = [], 0
        part.append(event)
        size += more
    if part:
        yield part


def _value(name: str, value: Any) -> Any:
    if name in _AMOUNTS and not isinstance(value, str):
        return to_text(value)  # a text goes as it is: the service says which row is wrong, and why
    return _nested(value) if isinstance(value, datetime | date | Decimal) else value


def _nested(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone; give an aware time such as datetime.now(UTC)")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return to_text(value)
    raise TypeError(f"JSON cannot carry {type(value).__name__}")


#: Made once: making one costs as much as a whole event.
_ENCODER: Final = json.JSONEncoder(default=_nested, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
