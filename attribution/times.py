"""Points in time as microseconds since the epoch, UTC. A time without a zone is UTC.

Raises ``InvalidParameterError`` for what is no time, and for times at or before the epoch, which are always a
missing or zero field.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from attribution.errors import InvalidParameterError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HINT: Final = "give an ISO-8601 time such as 2026-03-01T09:30:00Z, a datetime, or an epoch number after 1970"

#: An epoch number below the bound is in that unit, as (bound, microseconds = number * a // b): s, ms, us, ns.
#: Each bound is the year 5138, so the ranges cannot meet.
_UNITS: Final = ((10**11, 1_000_000, 1), (10**14, 1_000, 1), (10**17, 1, 1), (10**20, 1, 1_000))


def to_us(value: object, field: str = "timestamp") -> int:
    """Microseconds since the epoch of a ``datetime``, an ISO-8601 text or an epoch number.

    Args:
        value: a naive ``datetime`` or a text without a zone is UTC; the unit of an epoch follows from its size.
        field: name for the error message.

    Raises:
        InvalidParameterError: not a time, or not after 1970-01-01T00:00:00Z.
    """
    if isinstance(value, str):
        value = _from_text(value, field)
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        us = (aware - _EPOCH) // _MICROSECOND
        if not isinstance(us, int):  # pandas' NaT calls itself a datetime
            raise InvalidParameterError(field, value, _HINT)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        us = _from_epoch(value, field)
    else:
        raise InvalidParameterError(field, value, _HINT)
    if us <= 0:
        raise InvalidParameterError(field, value, _HINT)
    return us


def from_us(us: int) -> datetime:
    """Microseconds since the epoch as an aware time."""
    return _EPOCH + timedelta(microseconds=us)


def _from_text(text: str, field: str) -> datetime | int:
    plain = text.strip()
    if plain.isascii() and plain.isdigit() and 8 < len(plain) < 20:  # 8 digits are a date in ISO-8601's basic form
        return int(plain)
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        raise InvalidParameterError(field, text[:64], _HINT) from None


def _from_epoch(value: float | Decimal, field: str) -> int:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if number.is_finite():
        if number <= 0:
            return 0
        for below, numerator, denominator in _UNITS:
            if number < below:
                return int(number * numerator // denominator)
    raise InvalidParameterError(field, value, _HINT)
