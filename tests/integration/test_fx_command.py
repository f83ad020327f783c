"""``attribution fx`` on the engine: import, list, check, and import again what was listed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import build_app
from clickhouse.client import connect
from clickhouse.rows import spend_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import SpendEvent

pytestmark = pytest.mark.clickhouse

WIDE = "Date,USD,JPY,CHF,\n2026-11-20,1.0853,160.55,N/A,\n2026-11-19,1.0801,N/A,0.93,\n"


@pytest.fixture(autouse=True)
def _store(clickhouse_url: str, clickhouse_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("CLICKHOUSE_DATABASE", clickhouse_database)


def fx(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(build_app(), ["fx", *map(str, arguments)])
    return result.exit_code, result.stdout + result.stderr


def without_time(output: str) -> list[str]:
    return [line.rpartition(",")[0] for line in output.splitlines()[1:]]


def test_what_is_imported_is_listed_and_can_be_imported_again(tmp_path: Path) -> None:
    file = tmp_path / "ecb.csv"
    file.write_text(WIDE)

    assert fx("import", file) == (0, "4 rates against EUR: 3 currencies, 2026-11-19 to 2026-11-20\n")
    code, listed = fx("list")
    assert code == 0
    assert without_time(listed) == [
        "2026-11-19,CHF,0.93,EUR,ecb.csv",
        "2026-11-19,USD,1.0801,EUR,ecb.csv",
        "2026-11-20,JPY,160.55,EUR,ecb.csv",
        "2026-11-20,USD,1.0853,EUR,ecb.csv",
    ]
    again = tmp_path / "again.csv"
    again.write_text(listed.replace("1.0853", "1.0999"))
    assert fx("import", again, "--source", "corrected")[0] == 0
    assert without_time(fx("list", "--currency", "USD", "--from", "2026-11-20")[1]) == [
        "2026-11-20,USD,1.0999,EUR,corrected"
    ]


def test_a_bad_value_stores_nothing_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "ecb.csv"
    file.write_text(WIDE.replace("1.0801", "l.0801"))

    code, told = fx("import", file)

    assert code == 2
    assert "ecb.csv:3: USD: 'l.0801': is no number" in told
    assert without_time(fx("list")[1]) == []


def test_rates_against_another_base_are_refused_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "ecb.csv"
    file.write_text(WIDE)
    fx("import", file)
    file.write_text("date,currency,rate\n2026-11-20,GBP,0.8\n")

    code, told = fx("import", file, "--base", "USD")

    assert code == 2
    assert "this database holds rates against EUR" in told
    assert "TRUNCATE TABLE fx_rates" in told


def test_check_names_the_days_and_currencies_that_lack_a_rate(
    tmp_path: Path, clickhouse_url: str, clickhouse_database: str
) -> None:
    file = tmp_path / "ecb.csv"
    file.write_text(WIDE)
    fx("import", file)
    assert fx("check") == (0, "every day of conversions and spend can be converted to USD\n")
    first = (date(2026, 11, 17) - date(1970, 1, 1)).days
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    days = {"CHF": (0, 2, 3), "USD": (0, 1, 2), "SEK": (0, 1, 2, 4)}
    spend = [SpendEvent("s", first + n, "email", 1, c, source=c) for c, found in days.items() for n in found]
    Writer(client).write({"spend": spend_rows(spend)})
    client.close()

    code, told = fx("check")

    assert code == 1
    *lines, summary = told.splitlines()
    assert lines == [
        "CHF  2026-11-17: no rate of CHF and USD; spend",
        "SEK  2026-11-17 to 2026-11-18 (2 days): no rate of SEK and USD; spend",
        "SEK  2026-11-19 to 2026-11-21 (2 days): no rate of SEK; spend",
    ]
    assert summary.startswith(
        "5 days of 2 currencies cannot be converted to USD and are left out of its reports; run: "
    )
    assert fx("check", "--currency", "SEK", "--from", "2026-11-22")[0] == 0


def test_a_store_that_does_not_answer_is_told_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", "http://127.0.0.1:9")
    file = tmp_path / "ecb.csv"
    file.write_text(WIDE)

    for arguments in (("import", file), ("list",), ("check",)):
        code, told = fx(*arguments)
        assert (code, "not available" in told) == (1, True)
