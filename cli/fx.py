"""``attribution fx``: exchange rates in, listed, and checked against what is to be converted.

Exit codes: 0 done, 1 the store cannot do it or ``check`` found a gap, 2 wrong input (nothing was stored).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from cli.store import connected

if TYPE_CHECKING:
    from cli.fx_rows import RateRows
    from clickhouse.fx import MissingRate

SHOWN_BAD_ROWS: Final = 20


def register(app: typer.Typer) -> None:
    """Adds ``fx import``, ``fx list`` and ``fx check``."""
    fx = typer.Typer(help="Exchange rates by day, for reports in one currency.", no_args_is_help=True)
    fx.command("import")(import_file)
    fx.command("list")(list_stored)
    fx.command("check")(check)
    app.add_typer(fx, name="fx")


def import_file(
    file: Annotated[Path, typer.Argument(help="Rates: .csv, .jsonl, .ndjson, .parquet or .pq.")],
    base: Annotated[str, typer.Option(help="A rate is units of its currency for one of this.")] = "EUR",
    source: Annotated[str, typer.Option(help="Noted with each rate. Default: the file's name.")] = "",
) -> None:
    """Store the rates of a file; they replace earlier ones of their day and currency.

    Fields: date, currency, rate; or Date and a column per currency, as in the ECB's files. All rows or none.
    """
    from cli.files import FileProblemError, read_rows
    from cli.fx_rows import RateRows
    from clickhouse.errors import BaseMismatch
    from clickhouse.fx import MAX_RATES, import_rates

    _check_currency("--base", base)
    rows = RateRows(base)
    try:
        rows.read(str(file), read_rows(file, ()))
    except FileProblemError as error:
        _fail(f"error: {error}", 2)
    if rows.bad:
        _report_bad_rows(rows)
        raise typer.Exit(2)
    rates = rows.rates
    if not rates:
        _fail(f"error: {file}: no rates; give columns date, currency, rate, or Date and one per currency", 2)
    if len(rates) > MAX_RATES:
        _fail(f"error: {file}: {len(rates)} rates; at most {MAX_RATES} at once, split the file", 2)
    with connected() as client:
        try:
            count = import_rates(client, rates, base=base, source=source or file.name)
        except BaseMismatch as error:
            _fail(f"error: --base: {error}", 2)
    currencies = len({entry.currency for entry in rates})
    print(f"{count} rates against {base}: {currencies} currencies, {rates[0].day} to {rates[-1].day}")


def list_stored(
    currency: Annotated[str, typer.Option(help="Only this one.")] = "",
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, for instance 2026-11-01.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, inclusive.")] = "",
) -> None:
    """Print the stored rates as CSV, in a form that `fx import` reads."""
    import csv
    import sys

    from clickhouse.fx import list_rates

    if currency:
        _check_currency("--currency", currency)
    start, end = _period(first, last)
    with connected() as client:
        rates = list_rates(client, currency=currency, start=start, end=end)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("date", "currency", "rate", "base", "source", "imported_at"))
    for r in rates:
        text = f"{r.rate:f}".rstrip("0").rstrip(".")
        writer.writerow((r.day, r.currency, text, r.base, r.source, f"{r.imported_at:%Y-%m-%dT%H:%M:%SZ}"))


def check(
    currency: Annotated[
        str, typer.Option(envvar="ATTRIBUTION_REPORTING_CURRENCY", help="The currency of your reports.")
    ] = "USD",
    max_age_days: Annotated[
        int,
        typer.Option(envvar="ATTRIBUTION_FX_MAX_AGE_DAYS", min=0, max=31, help="Oldest rate that a day may take."),
    ] = 7,
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, for instance 2026-11-01.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, inclusive.")] = "",
) -> None:
    """Name the days whose conversions or spend cannot be converted; exit code 1 if there are any."""
    from clickhouse.fx import missing_rates

    _check_currency("--currency", currency)
    start, end = _period(first, last)
    with connected() as client:
        missing = missing_rates(client, currency=currency, max_age_days=max_age_days, start=start, end=end)
    if not missing:
        print(f"every day of conversions and spend can be converted to {currency}")
        return
    for line in _spans(missing):
        print(line)
    _fail(
        f"{len(missing)} days of {len({m.currency for m in missing})} currencies cannot be converted to {currency} "
        f"and are left out of its reports; run: attribution fx import FILE",
        1,
    )


def _spans(missing: list[MissingRate]) -> Iterator[str]:
    """A line per currency and stretch of days that lack the same rates."""
    for (currency, lacking, what), entries in groupby(missing, key=_kind):
        days = [m.day for m in entries]
        span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]} ({len(days)} days)"
        yield f"{currency}  {span}: no rate of {' and '.join(lacking)}; {what}"


def _kind(m: MissingRate) -> tuple[str, tuple[str, ...], str]:
    uses = [name for name, is_used in (("conversions", m.has_credits), ("spend", m.has_spend)) if is_used]
    return m.currency, m.lacking, " and ".join(uses)


def _period(first: str, last: str) -> tuple[date, date]:
    from clickhouse.fx import FIRST_DAY, LAST_DAY

    days = []
    for name, text, default in (("--from", first, FIRST_DAY), ("--to", last, LAST_DAY)):
        try:
            day = date.fromisoformat(text) if text else default
        except ValueError:
            _fail(f"error: {name}={text!r}: give a day such as 2026-11-24", 2)
        if not FIRST_DAY <= day <= LAST_DAY:
            _fail(f"error: {name}={text!r}: must be {FIRST_DAY} to {LAST_DAY}", 2)
        days.append(day)
    if days[0] > days[1]:
        _fail(f"error: --from={first!r} is after --to={last!r}", 2)
    return days[0], days[1]


def _check_currency(option: str, value: str) -> None:
    from clickhouse.fx import is_currency

    if not is_currency(value):
        _fail(f"error: {option}={value!r}: give three capital letters, for instance USD", 2)


def _report_bad_rows(rows: RateRows) -> None:
    for bad in rows.bad[:SHOWN_BAD_ROWS]:
        typer.echo(str(bad), err=True)
    more = len(rows.bad) - SHOWN_BAD_ROWS
    if more > 0:
        typer.echo(f"... and {more} more", err=True)
    typer.echo(f"error: {len(rows.bad)} bad values; nothing was stored", err=True)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
