"""Exchange rates: import, list, and the days that lack one.

A rate is the number of units of a currency for one unit of the base, exact to 18 decimals; a database holds rates
against one base. A rate imported later for the same day and currency replaces. Conversion itself is SQL: the view
``channel_performance_in``.

An import is one insert: its rates become visible together. Raises ``BaseMismatch`` for another base than that of the
rates already there, ``ValueError`` for what ``check_rate`` refuses, and the errors of ``clickhouse.errors``.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from clickhouse import queries
from clickhouse.errors import BaseMismatch
from clickhouse.locks import table_lock
from clickhouse.tables import FX_RATES
from clickhouse.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

LOCK: Final = "fx_import_lock"
#: Of ``Decimal(38, 18)``; the bound keeps amount times rate within 256 bits with room to spare.
DECIMALS: Final = 18
MAX_RATE: Final = Decimal(10) ** 12
#: More would not be one block of one insert.
MAX_RATES: Final = 1_000_000
#: The days that ``Date`` can hold.
FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2149, 6, 6)
#: What a rate may be old by default, and at most.
DEFAULT_MAX_AGE_DAYS: Final = 7
LONGEST_MAX_AGE_DAYS: Final = 31

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LOCK_STALE_S: Final = 60
_LOCK_WAIT_S: Final = 10.0


class Rate(NamedTuple):
    """``rate`` units of ``currency`` are worth one unit of the base on ``day``."""

    day: date
    currency: str
    rate: Decimal


class StoredRate(NamedTuple):
    """A rate with where it came from."""

    day: date
    currency: str
    rate: Decimal
    base: str
    source: str
    imported_at: datetime


class MissingRate(NamedTuple):
    """A day whose amounts in ``currency`` cannot be converted, since the currencies in ``lacking`` have no rate."""

    day: date
    currency: str
    lacking: tuple[str, ...]
    has_credits: bool
    has_spend: bool


def is_currency(text: str) -> bool:
    """Whether it looks like a currency: three capital letters."""
    return _CURRENCY.fullmatch(text) is not None


def check_rate(rate: Decimal) -> str:
    """Why a number cannot be a rate; ``""`` when it can."""
    if not rate.is_finite():
        return "is no number"
    if rate <= 0:
        return "must be above 0"
    if rate >= MAX_RATE:
        return f"must be below {MAX_RATE:f}"
    exponent = rate.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > DECIMALS:
        return f"has more than {DECIMALS} decimals; round it"
    return ""


def rate_rows(rates: Sequence[Rate], *, base: str, source: str, version: int) -> pa.Table:
    """Rows of ``fx_rates``; ``version`` decides between two imports of one day and currency.

    Raises:
        ValueError: a rate that ``check_rate`` refuses, or a currency that is none.
    """
    for entry in rates:
        reason = check_rate(entry.rate)
        if reason or not is_currency(entry.currency):
            raise ValueError(f"{entry.currency} on {entry.day}: {entry.rate} {reason or 'is of no currency'}")
    kinds = {column.name: column.arrow_type for column in FX_RATES.columns}
    n = len(rates)
    columns = {
        "day": [entry.day for entry in rates],
        "currency": [entry.currency for entry in rates],
        "rate": [entry.rate for entry in rates],
        "base": [base] * n,
        "source": [source] * n,
        "version": [version] * n,
    }
    return pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})


def import_rates(client: Client, rates: Sequence[Rate], *, base: str, source: str) -> int:
    """Stores rates; they replace earlier ones of their day and currency. Returns how many.

    Raises:
        BaseMismatch: the database holds rates against another base.
        LockHeld: another import is under way.
        ValueError: a rate is none, or there are more than ``MAX_RATES``.
    """
    if len(rates) > MAX_RATES:
        raise ValueError(f"{len(rates)} rates: at most {MAX_RATES} at once; split them")
    with table_lock(client, LOCK, stale_after_s=_LOCK_STALE_S, wait_s=_LOCK_WAIT_S):
        others = [row["base"] for row in queries.run(client, "fx_bases") if row["base"] != base]
        if others:
            raise BaseMismatch(
                f"base {base}: this database holds rates against {others[0]}; import a file with that base, "
                f"or empty the table first: TRUNCATE TABLE {FX_RATES.name}"
            )
        version = queries.run(client, "fx_next_version")[0]["version"]
        rows = rate_rows(rates, base=base, source=source, version=version)
        return Writer(client).write({FX_RATES.name: rows})


def list_rates(
    client: Client, *, currency: str = "", start: date = FIRST_DAY, end: date = LAST_DAY
) -> list[StoredRate]:
    """The rates of a currency (``""``: of all) from ``start`` to ``end``, oldest first."""
    rows = queries.run(client, "fx_list", currency=currency, start=start, end=end)
    return [StoredRate(**row) for row in rows]


def missing_rates(
    client: Client, *, currency: str, max_age_days: int, start: date = FIRST_DAY, end: date = LAST_DAY
) -> list[MissingRate]:
    """Days with credits of the active run or spend that cannot be converted to ``currency``, by currency and day."""
    rows = queries.run(client, "fx_missing", currency=currency, start=start, end=end, fx_max_age_days=max_age_days)
    return [
        MissingRate(r["day"], r["currency"], tuple(r["lacking"]), bool(r["has_credits"]), bool(r["has_spend"]))
        for r in rows
    ]
