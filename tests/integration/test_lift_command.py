"""``attribution lift`` on the engine: factors from the credit of each test's own days; wrong files are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attribution.config import DAY_US
from attribution.types import Conversion, ConversionCredits
from cli.__main__ import build_app
from clickhouse.client import connect
from clickhouse.rollups import Roller
from clickhouse.rows import attribution_rows, dirty_day_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer

pytestmark = pytest.mark.clickhouse

FIRST = 20_000  # 2024-10-04
HEADER = "channel,start_date,end_date,incremental_conversions,standard_error\n"
ASKED = ("--from", "2024-10-04", "--to", "2024-10-13")


@pytest.fixture(autouse=True)
def _store(clickhouse_url: str, clickhouse_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten days: ten conversions of email a day, five of display."""
    monkeypatch.setenv("CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("CLICKHOUSE_DATABASE", clickhouse_database)
    pairs = []
    for day in range(10):
        for n in range(15):
            at_us, channel = (FIRST + day) * DAY_US + n + 1, "email" if n < 10 else "display"
            conversion = Conversion(f"{day}-{n}", "purchase", at_us, 1_000_000, "USD")
            touch = (at_us - 1, f"t{day}-{n}", channel, "")
            found = ConversionCredits(conversion, 1, ("linear",), (touch,), ((1.0,),), ((1_000_000,),), ("",))
            pairs.append((f"c{day}-{n}", found))
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    Writer(client).write(
        {
            "attributions": attribution_rows(pairs, run_id=1, config_hash="h", emitted_at_us=1),
            "dirty_days": dirty_day_rows(pairs, run_id=1),
        }
    )
    Roller(client).drain()
    client.close()


def lift(tmp_path: Path, rows: str, *options: str) -> tuple[int, str]:
    file = tmp_path / "tests.csv"
    file.write_text(HEADER + rows)
    result = CliRunner().invoke(build_app(), ["lift", str(file), *ASKED, *options])
    return result.exit_code, result.stdout + result.stderr


def test_a_factor_is_the_lift_over_the_credit_of_the_same_days(tmp_path: Path) -> None:
    code, out = lift(tmp_path, "email,2024-10-04,2024-10-07,10,2\n", "--json")
    found = json.loads(out)
    rows = {row["channel"]: row for row in found["channels"]}

    assert code == 0
    assert rows["email"]["raw"] == 100
    assert rows["email"]["factor"] == pytest.approx(10 / 40)
    assert rows["email"]["calibrated"] == pytest.approx(25)
    assert rows["display"]["factor"] is None
    assert found["coverage"] == pytest.approx(100 / 150)
    assert found["residual"] == pytest.approx(75)


def test_people_see_raw_beside_calibrated(tmp_path: Path) -> None:
    code, out = lift(tmp_path, "email,2024-10-04,2024-10-13,50,5\nsms,2024-10-04,2024-10-05,3,1\n")

    assert code == 0
    assert "0.50 (0.40 to 0.60)" in out
    assert "not tested" in out
    assert "67% of the credit is in tested channels; 50.0 conversions are left over" in out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("email,2024-10-04,2024-10-05,10,0", "standard_error"),
        ("email,2024-10-04,soon,10,1", "end_date"),
        ("email,2024-10-06,2024-10-05,10,1", "is after end_date"),
        ("email,2024-10-04,2024-10-05,many,1", "incremental_conversions"),
        (",2024-10-04,2024-10-05,1,1", "channel"),
    ],
)
def test_a_bad_row_is_told_by_field_and_nothing_calibrated(tmp_path: Path, row: str, message: str) -> None:
    code, out = lift(tmp_path, row + "\n")

    assert code == 2
    assert message in out
    assert "nothing was calibrated" in out


def test_wrong_options_are_told(tmp_path: Path) -> None:
    code, out = lift(tmp_path, "", "--model", "magic")
    assert (code, "magic" in out) == (2, True)
    file = tmp_path / "tests.csv"
    result = CliRunner().invoke(build_app(), ["lift", str(file), "--from", "x", "--to", "2024-10-05"])
    assert (result.exit_code, "--from='x'" in result.stdout + result.stderr) == (2, True)


def test_recorded_tests_count_without_the_file_and_once(tmp_path: Path) -> None:
    for _ in range(2):
        code, out = lift(tmp_path, "email,2024-10-04,2024-10-07,10,2\n", "--json", "--record")
        assert code == 0, out
    result = CliRunner().invoke(build_app(), ["lift", *ASKED, "--json"])

    assert json.loads(result.stdout) == json.loads(out)
    assert json.loads(result.stdout)["channels"][0]["tests"] == 1


def test_recording_needs_a_file() -> None:
    result = CliRunner().invoke(build_app(), ["lift", *ASKED, "--record"])

    assert result.exit_code == 2
    assert "--record keeps the tests of a file" in result.stderr
