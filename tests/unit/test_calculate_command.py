"""``attribution calculate``: files in, files out, nothing half written."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

TOUCHPOINTS = """event_id,customer_id,occurred_at,channel,campaign
t1,ada,2026-09-01T00:00:00Z,Paid Search,brand
t2,ada,2026-09-03T00:00:00Z,Email,
t3,bob,2026-09-02T00:00:00Z,Direct,
"""
CONVERSIONS = """event_id,customer_id,occurred_at,value,currency
k1,ada,2026-09-04T00:00:00Z,0.000003,USD
k2,eve,2026-09-04T00:00:00Z,5,USD
"""
COLUMNS = [
    "model",
    "conversion_id",
    "customer_id",
    "position",
    "touchpoint_id",
    "channel",
    "campaign",
    "weight",
    "value_micros",
]


def calculate(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "cli", "calculate", "--touchpoints", "t.csv", "--conversions", "k.csv"]
    return subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False)


def files(folder: Path, touchpoints: str = TOUCHPOINTS) -> Path:
    (folder / "t.csv").write_text(touchpoints)
    (folder / "k.csv").write_text(CONVERSIONS)
    return folder


def test_csv_to_stdout_has_every_model_and_sums_to_the_value(tmp_path: Path) -> None:
    """Largest remainder gives the odd micro to the earlier touch; without a touch the row is unattributed."""
    done = calculate(files(tmp_path), "--models", "linear,last_touch", "--output", "-")
    rows = list(csv.DictReader(done.stdout.splitlines()))

    assert done.returncode == 0, done.stderr
    assert list(rows[0]) == COLUMNS
    linear = [(r["conversion_id"], r["touchpoint_id"], r["value_micros"]) for r in rows if r["model"] == "linear"]
    assert linear == [("k1", "t1", "2"), ("k1", "t2", "1"), ("k2", "", "5000000")]
    assert {r["channel"] for r in rows if r["conversion_id"] == "k2"} == {"unattributed"}


def test_json_lines_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    """The format follows the name of the output."""
    files(tmp_path)
    for name in ("out.jsonl", "out.parquet"):
        assert calculate(tmp_path, "--models", "linear", "--output", name).returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]

    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == lines
    assert [line["value_micros"] for line in lines] == [2, 1, 5_000_000]


def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    """File, line, field and reason; exit code 2; no output file."""
    files(tmp_path, TOUCHPOINTS.replace("2026-09-03T00:00:00Z", "yesterday"))
    done = calculate(tmp_path, "--output", "out.csv")

    assert done.returncode == 2
    assert "t.csv" in done.stderr
    assert "3" in done.stderr
    assert "occurred_at" in done.stderr
    assert "yesterday" in done.stderr
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith("out")]


def test_an_unknown_model_is_told_the_valid_ones(tmp_path: Path) -> None:
    """Exit code 2 and the list."""
    done = calculate(files(tmp_path), "--models", "first_click")

    assert done.returncode == 2
    assert "first_touch" in done.stderr
