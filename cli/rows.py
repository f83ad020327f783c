"""From a row of a file to a touch or a conversion event; what is wrong with a row is collected, not raised.

Field names are those of the wire, with the short ones of the SDK beside them (``event_id`` or ``id``, and so on).
An identical repetition of a row counts once; the same id with other content is a bad row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar, get_args

from attribution.errors import InvalidParameterError
from attribution.money import MAX_MICROS, to_micros
from attribution.times import to_us
from attribution.types import ConversionEvent, Status, Touch
from schemas.lines import Line

_Event = TypeVar("_Event", Touch, ConversionEvent)

_ID: Final = ("event_id", "id")
_TIME: Final = ("occurred_at", "timestamp")
_CHANNEL: Final = ("channel", "channel_id")
_VALUE: Final = ("value", "value_micros")

#: One of each group must be a column (CSV, Parquet) of the file.
TOUCH_COLUMNS: Final = (_ID, ("customer_id",), _TIME, _CHANNEL)
CONVERSION_COLUMNS: Final = (_ID, ("customer_id",), _TIME)


class BadRow(NamedTuple):
    """What is wrong where. ``line`` counts from 1, a header included; in Parquet it is the number of the row."""

    file: str
    line: int
    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        shown = f": {self.value!r}" if self.value else ""
        return (
            f"{self.file}:{self.line}: {self.field}{shown}: {self.reason}"
            if self.field
            else (f"{self.file}:{self.line}: {self.reason}")
        )


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, name: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.name, self.value, self.reason = name, value, reason


@dataclass(slots=True)
class Events:
    """Everything read, by customer; ``bad`` rows are in no customer's list."""

    touches: dict[str, list[Touch]] = field(default_factory=dict)
    conversions: dict[str, list[ConversionEvent]] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)

    def read_touchpoints(self, file: str, lines: Iterable[Line]) -> None:
        """Add the touches of a file."""
        seen: dict[str, tuple[int, tuple[str, Touch]]] = {}
        for number, row in lines:
            try:
                customer_id, touch = found = _touch(_mapping(row))
                if _is_new(seen, touch[1], number, found):
                    self.touches.setdefault(customer_id, []).append(touch)
            except _Wrong as wrong:
                self.bad.append(BadRow(file, number, wrong.name, _shown(wrong.value), wrong.reason))

    def read_conversions(self, file: str, lines: Iterable[Line]) -> None:
        """Add the conversions and corrections of a file."""
        seen: dict[str, tuple[int, tuple[str, ConversionEvent]]] = {}
        owners: dict[tuple[str, str], tuple[int, str]] = {}
        for number, row in lines:
            try:
                customer_id, event = found = _conversion(_mapping(row))
                if _is_new(seen, event.event_id, number, found):
                    _check_owner(owners, customer_id, event, number)
                    self.conversions.setdefault(customer_id, []).append(event)
            except _Wrong as wrong:
                self.bad.append(BadRow(file, number, wrong.name, _shown(wrong.value), wrong.reason))


def _mapping(row: Mapping[str, object] | str) -> Mapping[str, object]:
    if isinstance(row, str):
        raise _Wrong("", "", row)
    return row


def _is_new(
    seen: dict[str, tuple[int, tuple[str, _Event]]], event_id: str, number: int, found: tuple[str, _Event]
) -> bool:
    first, known = seen.setdefault(event_id, (number, found))
    if known != found:
        raise _Wrong(_ID[0], event_id, f"line {first} has this id with other content; ids must differ")
    return first == number


def _check_owner(
    owners: dict[tuple[str, str], tuple[int, str]], customer_id: str, event: ConversionEvent, number: int
) -> None:
    if event.order_id and not event.adjusts:
        line, owner = owners.setdefault((event.conversion_type, event.order_id), (number, customer_id))
        if owner != customer_id:
            raise _Wrong(
                "order_id", event.order_id, f"on line {line} it belongs to customer {owner!r}; an order has one"
            )


def _touch(row: Mapping[str, object]) -> tuple[str, Touch]:
    event_id, customer_id = _text(row, *_ID), _text(row, "customer_id")
    return customer_id, (_time(row), event_id, _text(row, *_CHANNEL), _text(row, "campaign", default=""))


def _conversion(row: Mapping[str, object]) -> tuple[str, ConversionEvent]:
    event_id, customer_id = _text(row, *_ID), _text(row, "customer_id")
    status = _text(row, "status", default="completed").lower()
    if status not in get_args(Status):
        raise _Wrong("status", status, f"one of {', '.join(get_args(Status))}")
    return customer_id, ConversionEvent(
        at_us=_time(row),
        event_id=event_id,
        conversion_type=_text(row, "conversion_type", default="purchase"),
        order_id=_text(row, "order_id", default=""),
        value_micros=_micros(row),
        currency=_text(row, "currency", default="USD").upper(),
        status=status,  # type: ignore[arg-type]  # just tested against the Literal
        adjusts=_text(row, "adjusts", default=""),
    )


def _pick(row: Mapping[str, object], names: tuple[str, ...]) -> tuple[str, object]:
    """The first of the fields that is there and not empty, else the first name and None."""
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            return name, value
    return names[0], None


def _text(row: Mapping[str, object], *names: str, default: str | None = None) -> str:
    name, value = _pick(row, names)
    if value is None:
        if default is None:
            also = f" (also read: {', '.join(names[1:])})" if names[1:] else ""
            raise _Wrong(name, "", f"is required{also}")
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _Wrong(name, value, "must be a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Wrong(name, ascii(value), "is not valid UTF-8") from None
    return value


def _time(row: Mapping[str, object]) -> int:
    name, value = _pick(row, _TIME)
    if value is None:
        raise _Wrong(name, "", f"is required (also read: {_TIME[1]})")
    try:
        return to_us(value, name)
    except InvalidParameterError as wrong:
        raise _Wrong(name, wrong.value, wrong.way_out) from None


def _micros(row: Mapping[str, object]) -> int:
    name, value = _pick(row, _VALUE)
    if value is None:
        return 0
    if name == _VALUE[1]:
        micros = _whole(name, value)
    else:
        try:
            micros = to_micros(value, name)
        except InvalidParameterError as wrong:
            raise _Wrong(name, wrong.value, wrong.way_out) from None
    if micros < 0:
        raise _Wrong(name, value, 'is below zero; send a reduction as a row with status "refunded" and adjusts')
    return micros


def _whole(name: str, value: object) -> int:
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.removeprefix("-").isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value > MAX_MICROS:
        raise _Wrong(name, value, "must be a whole number of micros (1e-6 of a currency unit) within int64")
    return value


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
