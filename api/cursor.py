"""Opaque page cursors: a format version and the last key of a page, URL-safe. Times are kept to the microsecond."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from api.errors import invalid
from api.store import EventKey, ResultKey

_VERSION: Final = 1
_KEYS: Final = {ResultKey: "r", EventKey: "e"}


def encode(key: ResultKey | EventKey) -> str:
    """The cursor behind ``key``."""
    raw = msgspec.json.encode((_VERSION, _KEYS[type(key)], *key))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_result(text: str | None) -> ResultKey | None:
    """The key of a results cursor.

    Raises:
        Problem: 422, not a cursor of this endpoint.
    """
    return None if text is None else ResultKey(*_decode(text, _KEYS[ResultKey]))


def decode_event(text: str | None) -> EventKey | None:
    """The key of a journey cursor.

    Raises:
        Problem: 422, not a cursor of this endpoint.
    """
    return None if text is None else EventKey(*_decode(text, _KEYS[EventKey]))


def encode_position(kind: str, position: tuple[int | str, ...]) -> str:
    """The cursor behind a row of a table that is sorted by ``position``."""
    raw = msgspec.json.encode((_VERSION, kind, *position))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_position(text: str | None, kind: str, *types: type) -> tuple[Any, ...] | None:
    """The position of a cursor that ``encode_position`` gave.

    Raises:
        Problem: 422, not a cursor of this endpoint.
    """
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, found, *position = msgspec.json.decode(raw, type=list[int | str])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        version, found, position = 0, "", []
    if (version, found) != (_VERSION, kind) or [type(p) for p in position] != list(types):
        raise invalid("cursor", text, "is not a cursor of this endpoint; give back next_cursor as it came")
    return tuple(position)


def _decode(text: str, wanted: str) -> tuple[datetime, str, str]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, kind, at, *rest = msgspec.json.decode(raw, type=tuple[int, str, datetime, str, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        version, kind, at, rest = 0, "", datetime.min.replace(tzinfo=UTC), ["", ""]
    if (version, kind) != (_VERSION, wanted) or at.tzinfo is None:
        raise invalid("cursor", text, "is not a cursor of this endpoint; give back next_cursor as it came")
    return at, rest[0], rest[1]
