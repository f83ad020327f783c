"""When a message happened: the clock of a device corrected by ours.

Segment's rule: a device says when an event happened and when it was sent, both by its own clock; the difference is
trusted, the clock is not. ``occurred = received - (sentAt - timestamp)``. A message that has both ``timestamp`` and
``originalTimestamp`` was corrected by another server already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas import values
from schemas.records import InvalidRecordError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def segment_time_us(message: Mapping[str, Any], sent_at: object, received_us: int) -> int:
    """Microseconds since the epoch at which a Segment message happened.

    Args:
        message: with ``timestamp`` or ``originalTimestamp``; with neither it happened when it was received.
        sent_at: of the message or its batch; without one that can be read, nothing is corrected.
        received_us: our clock.

    Raises:
        InvalidRecordError: a time that is none.
    """
    stamped, original = message.get("timestamp"), message.get("originalTimestamp")
    if stamped is not None and original is not None:
        return values.time_us("timestamp", stamped)
    said, name = (stamped, "timestamp") if stamped is not None else (original, "originalTimestamp")
    if said is None:
        return received_us
    at_us, sent_us = values.time_us(name, said), _readable_us(sent_at)
    return at_us if sent_us is None else received_us - (sent_us - at_us)


def month_start_us(at_us: int) -> int:
    """The first moment of the UTC month.

    Raises:
        InvalidRecordError: a time that no calendar has.
    """
    try:
        at = _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        raise InvalidRecordError("implausible_time", "timestamp", f"{at_us} us since the epoch") from None
    return (datetime(at.year, at.month, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def _readable_us(sent_at: object) -> int | None:
    try:
        return None if sent_at is None else values.time_us("sentAt", sent_at)
    except InvalidRecordError:
        return None
