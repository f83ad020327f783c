"""From the rows of a file to exchange rates; what is wrong with a row is collected, not raised.

Two forms, told apart by the fields of each row: long (``date``, ``currency``, ``rate``; also ``base``, which must be
the one that was asked for) and the ECB's wide one (``Date`` and a field per currency, ``N/A`` or empty where there is
none). Days are ``2026-11-24``, or ``24 November 2026`` as the ECB's daily file writes them. The same rate twice counts
once; two rates of one day and currency are a bad row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from cli.rows import BadRow
from clickhouse.fx import FIRST_DAY, LAST_DAY, Rate, check_rate, is_currency
from schemas.lines import Line

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_NO_RATE: Final = ("", "N/A")
_LONG: Final = {"date", "currency", "rate", "base"}
#: Columns of ``attribution fx list`` that say nothing about the rate.
_IGNORED: Final = {"source", "imported_at"}
_MAX_TEXT: Final = 64


@dataclass(slots=True)
class RateRows:
    """Every rate read, and what is wrong with the rest."""

    base: str
    bad: list[BadRow] = field(default_factory=list)
    _seen: dict[tuple[date, str], tuple[int, Decimal]] = field(default_factory=dict)

    @property
    def rates(self) -> list[Rate]:
        """By day and currency."""
        return [Rate(day, currency, rate) for (day, currency), (_, rate) in sorted(self._seen.items())]

    def read(self, file: str, lines: Iterable[Line]) -> None:
        """Add the rates of a file."""
        for number, row in lines:
            if isinstance(row, str):
                self.bad.append(BadRow(file, number, "", "", row))
                continue
            for name, value, reason in self._add(number, _stripped(row)):
                self.bad.append(BadRow(file, number, name, _shown(value), reason))

    def _add(self, number: int, row: Mapping[str, object]) -> Iterator[tuple[str, object, str]]:
        """What is wrong with a row: field, value, reason."""
        lower = {name.lower(): name for name in row}
        shown_day = row.get(lower.get("date", ""), "")
        day = _day(shown_day)
        if day is None:
            yield lower.get("date", "date"), shown_day, f"give a day such as 2026-11-24, {FIRST_DAY} to {LAST_DAY}"
            return
        is_long = "currency" in lower or "rate" in lower
        if is_long:
            fields = {name: row.get(lower.get(name, ""), "") for name in _LONG}
            base = fields["base"] or self.base
            if base != self.base:
                yield "base", base, f"the rates are to be against {self.base}; see --base"
            elif fields["rate"] in _NO_RATE:
                yield "rate", "", "is required"
            else:
                yield from self._rate(number, day, "currency", fields["currency"], "rate", fields["rate"])
            return
        names = [name for name in row if name and name.lower() not in {"date", *_IGNORED}]
        if not names:
            yield "", "", "no rate: give currency and rate, or a field per currency"
        for name in names:
            if row[name] not in _NO_RATE and row[name] is not None:
                yield from self._rate(number, day, name, name, name, row[name])

    def _rate(
        self, number: int, day: date, currency_field: str, currency: object, rate_field: str, value: object
    ) -> Iterator[tuple[str, object, str]]:
        if not isinstance(currency, str) or not is_currency(currency):
            yield currency_field, currency, "is no currency; give three capital letters, for instance USD"
            return
        rate = _decimal(value)
        reason = "is no number; give for instance 1.0853" if rate is None else check_rate(rate)
        if rate is not None and not reason and currency == self.base and rate != 1:
            reason = f"the base {self.base} is worth 1 of itself"
        if rate is None or reason:
            yield rate_field, value, reason
            return
        first, known = self._seen.setdefault((day, currency), (number, rate))
        if known != rate:
            yield rate_field, value, f"line {first} has {known:f} for {currency} on {day}; keep one"


def _stripped(row: Mapping[str, object]) -> dict[str, object]:
    return {name.strip(): value.strip() if isinstance(value, str) else value for name, value in row.items()}


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return None
    if isinstance(value, date):
        day = value
    elif isinstance(value, str):
        parts = value.split()
        try:
            if len(parts) == 3 and parts[1] in _MONTHS:
                day = date(int(parts[2]), _MONTHS.index(parts[1]) + 1, int(parts[0]))
            else:
                day = date.fromisoformat(value)
        except ValueError:
            return None
    else:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    if len(text) > _MAX_TEXT or "_" in text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isascii() else ascii(text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."
