"""Rates from rows of files: both forms, what counts once, and what is wrong where."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.__main__ import build_app
from cli.files import FileProblemError, read_rows
from cli.fx_rows import RateRows
from clickhouse.fx import Rate, check_rate, is_currency, rate_rows

LONG = "date,currency,rate\n2026-11-20,USD,1.0853\n"


def rows_of(path: Path, text: str, base: str = "EUR") -> RateRows:
    path.write_text(text, encoding="utf-8")
    rows = RateRows(base)
    rows.read(path.name, read_rows(path, ()))
    return rows


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("long.csv", "date,currency,rate\n2026-11-20,USD,1.0853\n2026-11-20,JPY,160.55\n2026-11-19,USD,1.08\n"),
        ("wide.csv", "Date,USD,JPY,CHF,\n2026-11-20,1.0853,160.55,,\n2026-11-19,1.08,N/A,N/A,\n"),
        ("daily.csv", "Date, USD, JPY, \n20 November 2026, 1.0853, 160.55, \n19 November 2026, 1.08, , \n"),
        (
            "listed.csv",
            """date,currency,rate,base,source,imported_at
2026-11-20,USD,1.0853,EUR,f,2026-11-24T00:00:00Z
2026-11-20,JPY,160.550,EUR,f,x
2026-11-20,EUR,1,EUR,f,x
2026-11-19,USD,1.08,,f,x
""",
        ),
        (
            "long.jsonl",
            """{"date":"2026-11-20","currency":"USD","rate":1.0853}
            {"date":"2026-11-20","currency":"JPY","rate":"160.55"}

            {"date":"2026-11-19","currency":"USD","rate":1.08}""",
        ),
        ("wide.ndjson", '{"Date":"2026-11-20","USD":1.0853,"JPY":160.55}\n{"Date":"2026-11-19","USD":1.08,"JPY":null}'),
        ("twice.csv", f"{LONG}2026-11-20,JPY,160.55\n2026-11-20,USD,1.08530\n2026-11-19,USD,1.08\n"),
    ],
)
def test_every_form_gives_the_same_rates(tmp_path: Path, name: str, text: str) -> None:
    rows = rows_of(tmp_path / name, text)

    assert rows.bad == []
    assert [r for r in rows.rates if r.currency != "EUR"] == [
        Rate(date(2026, 11, 19), "USD", Decimal("1.08")),
        Rate(date(2026, 11, 20), "JPY", Decimal("160.55")),
        Rate(date(2026, 11, 20), "USD", Decimal("1.0853")),
    ]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("2026-11-20,USD,1.09", "rate", "line 2 has 1.0853 for USD on 2026-11-20"),
        ("2026-13-20,USD,1", "date", "2026-11-24"),
        ("31 February 2026,USD,1", "date", "2026-11-24"),
        ("1969-12-31,USD,1", "date", "1970-01-01 to 2149-06-06"),
        (",USD,1", "date", "2026-11-24"),
        ("2026-11-21,usd,1", "currency", "three capital letters"),
        ("2026-11-21,,1", "currency", "three capital letters"),
        ("2026-11-21,USD,", "rate", "is required"),
        ("2026-11-21,USD,0", "rate", "above 0"),
        ("2026-11-21,USD,-1", "rate", "above 0"),
        ("2026-11-21,USD,NaN", "rate", "is no number"),
        ("2026-11-21,USD,Infinity", "rate", "is no number"),
        ("2026-11-21,USD,1_0", "rate", "is no number"),
        ("2026-11-21,USD,one", "rate", "is no number"),
        ("2026-11-21,USD,1e12", "rate", "must be below"),
        ("2026-11-21,USD,1e999999999", "rate", "must be below"),
        ("2026-11-21,USD,1e-19", "rate", "more than 18 decimals"),
        ("2026-11-21,EUR,2", "rate", "the base EUR is worth 1"),
        ("2026-11-21,USD", "", "2 values for 3 columns"),
    ],
)
def test_a_bad_row_is_named_with_its_field_and_the_way_out(tmp_path: Path, line: str, field: str, reason: str) -> None:
    (bad,) = rows_of(tmp_path / "r.csv", f"{LONG}{line}\n").bad

    assert (bad.file, bad.line, bad.field) == ("r.csv", 3, field)
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("Date,USD,Yen\n2026-11-20,1,2\n", "Yen", "is no currency"),
        ("Date,USD\n2026-11-20,x\n", "USD", "is no number"),
        ("Date\n2026-11-20\n", "", "a field per currency"),
        ("date,currency,rate,base\n2026-11-20,USD,1,GBP\n", "base", "see --base"),
    ],
)
def test_a_wide_or_foreign_row_is_checked_as_well(tmp_path: Path, text: str, field: str, reason: str) -> None:
    (bad,) = rows_of(tmp_path / "r.csv", text).bad

    assert (bad.line, bad.field) == (2, field)
    assert reason in bad.reason


def test_json_truth_and_lists_are_no_rates(tmp_path: Path) -> None:
    text = "".join(f'{{"date":"2026-11-2{n}","currency":"USD","rate":{v}}}\n' for n, v in enumerate(("true", "[1]")))

    assert [b.reason[:12] for b in rows_of(tmp_path / "r.jsonl", text).bad] == ["is no number"] * 2


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileProblemError, match="column USD is there more than once"):
        rows_of(tmp_path / "r.csv", "Date,USD, USD\n2026-11-20,1,2\n")


@given(units=st.integers(min_value=1, max_value=10**30 - 1))
def test_a_rate_is_stored_to_the_last_of_18_decimals(units: int) -> None:
    rate = Decimal(f"{units}E-18")
    assert check_rate(rate) == ""
    rows = rate_rows([Rate(date(2026, 1, 1), "USD", rate)], base="EUR", source="", version=1)
    assert rows.column("rate").to_pylist() == [rate]


def test_rows_of_what_is_no_rate_are_refused() -> None:
    for currency, rate in (("USD", "0"), ("usd", "1"), ("USD", "1e-19")):
        with pytest.raises(ValueError, match=currency):
            rate_rows([Rate(date(2026, 1, 1), currency, Decimal(rate))], base="EUR", source="", version=1)
    assert not is_currency("ÄÄÄ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "{bad}"], "bad.csv:3: rate: '-1': must be above 0"),
        (["import", "{bad}"], "nothing was stored"),
        (["import", "{empty}"], "no rates"),
        (["import", "nowhere.csv"], "No such file"),
        (["import", "rates.xls"], "unknown format '.xls'"),
        (["import", "{bad}", "--base", "euro"], "--base='euro': give three capital letters"),
        (["list", "--currency", "usd"], "--currency='usd'"),
        (["list", "--from", "yesterday"], "--from='yesterday': give a day"),
        (["list", "--to", "1969-01-01"], "must be 1970-01-01 to"),
        (["list", "--from", "2026-02-02", "--to", "2026-02-01"], "is after --to"),
        (["check", "--currency", "dollar"], "--currency='dollar'"),
        (["check", "--max-age-days", "32"], "fx check --help"),
    ],
)
def test_wrong_input_ends_with_2_before_the_store_is_asked(tmp_path: Path, arguments: list[str], told: str) -> None:
    files = {"{bad}": tmp_path / "bad.csv", "{empty}": tmp_path / "empty.csv"}
    files["{bad}"].write_text(f"{LONG}2026-11-21,USD,-1\n", encoding="utf-8")
    files["{empty}"].write_text("date,currency,rate\n", encoding="utf-8")

    result = CliRunner().invoke(build_app(), ["fx", *(str(files.get(a, a)) for a in arguments)])

    assert result.exit_code == 2, result.output
    assert told in result.output
