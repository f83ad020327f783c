"""Single values of the wire: times, money, currencies, texts, counts.

Every function takes the canonical field name and a value as JSON or Avro gave it, and returns the value of
``schemas.events`` or raises ``InvalidRecordError`` with a reason of the closed set. JSON fractions arrive as
``Decimal``: a binary float never touches money or time.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import Final

import msgspec

from attribution.errors import InvalidParameterError
from attribution.money import to_micros
from schemas.records import InvalidRecordError, shown

INT64_MAX: Final = 2**63 - 1
MAX_ID_BYTES: Final = 512
MAX_TEXT_BYTES: Final = 4_096
#: Texts with the shorter limit.
ID_FIELDS: Final = frozenset({"event_id", "customer_id", "previous_id", "order_id", "adjusts"})
DAY_US: Final = 86_400_000_000
#: 2000-01-01T00:00:00Z. Earlier times are default values and unit mistakes, not events of this product.
EARLIEST_US: Final = 946_684_800_000_000
#: A producer's clock may run ahead of the broker's by this much.
FUTURE_TOLERANCE_US: Final = DAY_US

#: An epoch number below the bound is in that unit; each bound is the year 5138, so the ranges cannot meet.
SECONDS_BELOW: Final = 10**11
MILLIS_BELOW: Final = 10**14
MICROS_BELOW: Final = 10**17
_NANOS_BELOW: Final = 10**20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH_TEXT: Final = re.compile(r"-?\d{9,20}(\.\d{1,12})?", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,25}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
#: Wide enough that scaling an accepted number is exact, so it is rounded only once.
_EXACT: Final = Context(prec=130)
STATUSES: Final = {
    "completed": "completed",
    "refunded": "refunded",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}


def time_us(field: str, raw: object) -> int:
    """Microseconds since the epoch from ISO-8601 (naive is UTC) or an epoch number in s, ms, us or ns."""
    match raw:
        case bool():
            raise _wrong_type(field, "ISO-8601 text or an epoch number", raw)
        case int():
            return _scaled_epoch(raw)
        case Decimal() | float():
            return _fractional_epoch(field, raw if isinstance(raw, Decimal) else Decimal(repr(raw)))
        case str():
            return _text_time(field, raw.strip())
        case None:
            raise InvalidRecordError("missing_field", field, "is required; send ISO-8601 or epoch milliseconds")
    raise _wrong_type(field, "ISO-8601 text or an epoch number", raw)


def plausible(field: str, at_us: int, timestamp_ms: int) -> int:
    """The time itself, unless it is before 2000 or more than a day after the broker's timestamp (if it has one)."""
    if at_us < EARLIEST_US:
        raise InvalidRecordError(
            "implausible_time", field, f"{at_us} us since the epoch is before 2000-01-01; check the unit"
        )
    if timestamp_ms > 0 and at_us > timestamp_ms * 1000 + FUTURE_TOLERANCE_US:
        raise InvalidRecordError(
            "implausible_time",
            field,
            f"{at_us} us since the epoch is a day or more after the record timestamp {timestamp_ms} ms; check the unit",
        )
    return at_us


def day_number(field: str, raw: object) -> int:
    """Days since 1970-01-01 from ``YYYY-MM-DD`` or, as Avro sends it, the number itself."""
    if raw is None:
        raise InvalidRecordError("missing_field", field, "is required; send YYYY-MM-DD")
    if isinstance(raw, int) and not isinstance(raw, bool):
        if not -1_000_000 < raw < 1_000_000:
            raise InvalidRecordError("bad_timestamp", field, f"{shown(raw)} is no day number; send YYYY-MM-DD")
        return raw
    if not isinstance(raw, str):
        raise _wrong_type(field, "YYYY-MM-DD", raw)
    try:
        return (date.fromisoformat(raw.strip()) - _EPOCH.date()).days
    except ValueError:
        raise InvalidRecordError("bad_timestamp", field, f"{shown(raw)!r} is no date; send YYYY-MM-DD") from None


def micros(field: str, raw: object) -> int:
    """Micros from an amount in currency units; more than six decimals are rounded half to even."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        raise _wrong_type(field, "a number or numeric text", raw)
    try:
        amount = to_micros(raw, field)
    except InvalidParameterError:
        raise InvalidRecordError(
            "bad_amount", field, f"{shown(raw)!r} is no amount such as 12.50 within int64 micros"
        ) from None
    if amount < 0:
        raise InvalidRecordError("negative_value", field, f"{shown(raw)} is below zero")
    return amount


def whole(field: str, raw: object) -> int:
    """A non-negative int64: micros or a count. Integer text is accepted, as JavaScript sends int64."""
    if isinstance(raw, str) and _INTEGER.fullmatch(raw.strip()):
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise _wrong_type(field, "an integer", raw)
    if raw < 0:
        raise InvalidRecordError("negative_value", field, f"{shown(raw)} is below zero")
    if raw > INT64_MAX:
        raise InvalidRecordError("bad_amount", field, f"{shown(raw)} does not fit int64")
    return raw


def currency(field: str, raw: object) -> str:
    """Upper case ISO-4217 shape; whether the currency exists is for the exchange rates to say."""
    if not isinstance(raw, str):
        raise _wrong_type(field, "three letters such as EUR", raw)
    if not _CURRENCY.fullmatch(raw):
        raise InvalidRecordError("bad_currency", field, f"{shown(raw)!r} is not three letters such as EUR")
    return raw.upper()


def status(field: str, raw: object) -> str:
    """``completed``, ``refunded`` or ``cancelled``."""
    if not isinstance(raw, str):
        raise _wrong_type(field, "completed, refunded or cancelled", raw)
    try:
        return STATUSES[raw.strip().lower()]
    except KeyError:
        raise InvalidRecordError(
            "bad_status", field, f"{shown(raw)!r} is not completed, refunded or cancelled"
        ) from None


def text(field: str, raw: object, limit: int = MAX_TEXT_BYTES) -> str:
    """Text as sent, at most ``limit`` bytes of UTF-8."""
    if not isinstance(raw, str):
        raise _wrong_type(field, "text", raw)
    if len(raw) * 4 > limit and len(raw.encode()) > limit:
        raise InvalidRecordError("too_long", field, f"{len(raw.encode())} bytes, at most {limit}")
    return raw


def label(field: str, raw: object) -> str:
    """Text that vendors also send as an integer, such as a campaign id."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    return text(field, raw)


def text_map(field: str, raw: object) -> dict[str, str] | None:
    """A map to text: other scalars and nested values become their JSON; nulls are left out; empty is ``None``."""
    if not isinstance(raw, dict):
        raise _wrong_type(field, "an object", raw)
    out = {}
    for key, value in raw.items():
        if value is None:
            continue
        name = f"{field}.{shown(key)}"
        text(name, key)
        out[key] = text(name, value if isinstance(value, str) else _as_json(value))
    return out or None


def _as_json(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(value).decode()


def _text_time(field: str, raw: str) -> int:
    if _EPOCH_TEXT.fullmatch(raw):
        return _fractional_epoch(field, Decimal(raw))
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        raise InvalidRecordError(
            "bad_timestamp", field, f"{shown(raw)!r} is neither ISO-8601 nor an epoch number"
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MICROSECOND


def _scaled_epoch(raw: int) -> int:
    size = abs(raw)
    if size < SECONDS_BELOW:
        return raw * 1_000_000
    if size < MILLIS_BELOW:
        return raw * 1_000
    if size < MICROS_BELOW:
        return raw
    return raw // 1_000


def _fractional_epoch(field: str, raw: Decimal) -> int:
    if not raw.is_finite() or raw.adjusted() >= 20:
        raise InvalidRecordError("bad_timestamp", field, f"{shown(raw)} is no epoch number")
    size = abs(raw)
    power = 6 if size < SECONDS_BELOW else 3 if size < MILLIS_BELOW else 0 if size < MICROS_BELOW else -3
    try:
        return int(_EXACT.scaleb(raw, power).to_integral_value(ROUND_FLOOR, _EXACT))
    except InvalidOperation:
        raise InvalidRecordError("bad_timestamp", field, f"{shown(raw)} is no epoch number") from None


def _wrong_type(field: str, wanted: str, raw: object) -> InvalidRecordError:
    names = {"NoneType": "null", "dict": "an object", "list": "an array", "bool": "a boolean", "str": "text"}
    kind = names.get(type(raw).__name__, "a number" if isinstance(raw, int | float | Decimal) else "another type")
    return InvalidRecordError("wrong_type", field, f"wants {wanted}, got {kind}")
