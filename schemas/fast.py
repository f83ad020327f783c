"""The hot loops: touchpoints and conversions of the usual shape, decoded and checked in place.

A loop accepts a record only if every rule of ``normalise`` certainly holds. For any doubt it calls ``slowly``, which
decides and gives the reason. So the loops know no reasons, and a property test compares the two ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from schemas import values
from schemas.events import ConversionWireEvent, TouchpointEvent
from schemas.normalise import clean_channel, derive_channel
from schemas.records import InvalidRecordError, RawRecord
from schemas.values import (
    EARLIEST_US,
    FUTURE_TOLERANCE_US,
    INT64_MAX,
    MAX_ID_BYTES,
    MICROS_BELOW,
    MILLIS_BELOW,
    SECONDS_BELOW,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attribution.channels import ChannelRules

#: What a decoder raises for a value that is not of the usual shape, null included.
NOT_USUAL: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError)
MAX_RECORD_BYTES: Final = 1_048_576

Decode: TypeAlias = Callable[[Any], Any]
Slowly: TypeAlias = Callable[[RawRecord], None]


class Memo(dict[Any, Any]):
    """Remembers a pure function of texts that repeat, within bounds; also makes equal texts one object."""

    __slots__ = ("_function",)
    _LIMIT: Final = 20_000

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: Any) -> Any:
        if len(self) >= self._LIMIT:
            self.clear()
        self[key] = result = self._function(key)
        return result


class Memos:
    """The repeating texts of one codec. A function gives ``None`` where the slow way must decide."""

    def __init__(self, rules: ChannelRules) -> None:
        self.channel = Memo(lambda raw: "" if raw is None else _or_none(clean_channel, raw))
        self.campaign = Memo(lambda raw: (rules.campaign(raw) or None) if raw else None)
        self.currency = Memo(lambda raw: _or_none(lambda text: values.currency("currency", text), raw))


def touchpoints(  # noqa: C901  # one body: a call per event costs more than the checks
    records: Sequence[RawRecord],
    events: list[Any],
    decode: Decode,
    other_format: Callable[[RawRecord], Any],
    slowly: Slowly,
    memos: Memos,
    rules: ChannelRules,
) -> None:
    """Append the touchpoint of each usual record to ``events``; hand the others to ``slowly``, in order."""
    channels, campaigns, currencies = memos.channel, memos.campaign, memos.currency
    append = events.append
    for record in records:
        value = record.value
        try:
            event = decode(value)
        except NOT_USUAL:
            event = other_format(record)
            if event is None:
                slowly(record)
                continue
        event.__class__ = TouchpointEvent
        at = event.occurred_at_us
        if at.__class__ is int:
            if at < MILLIS_BELOW:
                at *= 1_000 if at >= SECONDS_BELOW else 1_000_000
            elif at >= MICROS_BELOW:
                at //= 1_000
        else:
            at = _text_time(at)
        received_at = record.timestamp * 1_000
        event_id, customer_id = event.event_id, event.customer_id
        if (
            not EARLIEST_US <= at <= received_at + FUTURE_TOLERANCE_US
            or customer_id.encode() != record.key
            or not event_id
            or event_id.isspace()
            or not customer_id
            or customer_id.isspace()
            or not event.touch_type
            or not 0 <= event.cost_micros <= INT64_MAX
            or (len(value or b"") > MAX_ID_BYTES and not _fits(event, value))
        ):
            slowly(record)
            continue
        if event.currency is not None:
            event.currency = currency = currencies[event.currency]
            if currency is None:
                slowly(record)
                continue
        event.click_ids = event.click_ids or None
        event.properties = event.properties or None
        event.campaign = campaigns[event.campaign]
        event.channel = channel = channels[event.channel]
        if not channel and (channel is None or not _derived(event, rules)):
            slowly(record)
            continue
        event.occurred_at_us = at
        event.received_at_us = received_at
        event.offset = record.offset
        append(event)


def conversions(
    records: Sequence[RawRecord],
    events: list[Any],
    decode: Decode,
    other_format: Callable[[RawRecord], Any],
    slowly: Slowly,
    memos: Memos,
) -> None:
    """Append the conversion of each usual record to ``events``; hand the others to ``slowly``, in order."""
    currencies, statuses = memos.currency, values.STATUSES
    append = events.append
    for record in records:
        value = record.value
        try:
            event = decode(value)
        except NOT_USUAL:
            event = other_format(record)
            if event is None:
                slowly(record)
                continue
        event.__class__ = ConversionWireEvent
        at = event.occurred_at_us
        if at.__class__ is int:
            if at < MILLIS_BELOW:
                at *= 1_000 if at >= SECONDS_BELOW else 1_000_000
            elif at >= MICROS_BELOW:
                at //= 1_000
        else:
            at = _text_time(at)
        received_at = record.timestamp * 1_000
        event_id, customer_id = event.event_id, event.customer_id
        raw_currency, raw_status = event.currency, event.status
        event.currency = currency = "USD" if raw_currency is None else currencies[raw_currency]
        event.status = status = "completed" if raw_status is None else statuses.get(raw_status)
        event.order_id = order_id = event.order_id or None
        event.adjusts = adjusts = event.adjusts or None
        if (
            not EARLIEST_US <= at <= received_at + FUTURE_TOLERANCE_US
            or customer_id.encode() != record.key
            or not event_id
            or event_id.isspace()
            or not customer_id
            or customer_id.isspace()
            or not 0 <= event.value_micros <= INT64_MAX
            or currency is None
            or status is None
            # Whether a value was sent decides a restatement, and the struct no longer shows it.
            or (adjusts is not None if status == "completed" else adjusts is None and order_id is None)
            or event.sent_at_us is not None
            # A CloudEvents header may name the type.
            or (not event.conversion_type and record.headers)
            or (len(value or b"") > MAX_ID_BYTES and not _fits(event, value))
        ):
            slowly(record)
            continue
        event.conversion_type = event.conversion_type or "purchase"
        event.properties = event.properties or None
        event.occurred_at_us = at
        event.received_at_us = received_at
        event.offset = record.offset
        append(event)


def _text_time(text: str) -> int:
    """Microseconds, or 0, which no loop accepts."""
    try:
        return values.time_us("", text)
    except InvalidRecordError:
        return 0


def _derived(event: TouchpointEvent, rules: ChannelRules) -> bool:
    try:
        derive_channel(event, rules)
    except InvalidRecordError:
        return False
    return True


def _fits(event: Any, value: Any) -> bool:
    """Whether every text keeps its limit. A record within an id's limit needs no look: its texts are shorter still."""
    if len(value) > MAX_RECORD_BYTES:
        return False
    for name in event.__struct_fields__:
        field = getattr(event, name)
        limit = MAX_ID_BYTES if name in values.ID_FIELDS else values.MAX_TEXT_BYTES
        if isinstance(field, str):
            if len(field.encode()) > limit:
                return False
        elif isinstance(field, dict) and any(
            len(key.encode()) > limit or len(text.encode()) > limit for key, text in field.items()
        ):
            return False
    return True


def _or_none(function: Callable[[str], str], raw: str) -> str | None:
    try:
        return function(raw)
    except InvalidRecordError:
        return None
