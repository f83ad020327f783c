"""``attribution bench freshness`` on a stack of its own: canaries are seen everywhere, wrong options are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = "import typer, cli.bench_freshness as b; app = typer.Typer(); b.register(app); app()"


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", RUN, *options, "--output", str(folder / "out.json")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CLICKHOUSE_", "ATTRIBUTION_"))}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.kafka
@pytest.mark.clickhouse
def test_every_canary_is_seen_in_clickhouse_and_over_rest(tmp_path: Path) -> None:
    """No load: one second of canaries; the numbers are stored and the table is printed."""
    done = bench(tmp_path, "--idle", "--seconds", "1")

    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["complete"] is True
    assert [(name, p["count"], p["missing"]) for name, p in found["places"].items()] == [
        ("confirmed", 40, 0),
        ("credits", 20, 0),
        ("rollup", 20, 0),
        ("rest", 20, 0),
    ]
    assert found["epochs"] > 0
    assert sum(p["surplus"] for p in found["places"].values()) == 0
    assert "REST channel-performance" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--places", "credits,moon"), "--places='credits,moon': choose from credits, rollup, rest, not ['moon']"),
        (("--places", ","), "--places=',': choose from credits, rollup, rest"),
        (("--idle", "--rate", "5"), "--rate=5: --idle has no load"),
        (("--stack", "nowhere"), "no stack is running over nowhere: start it with `attribution up`"),
    ],
)
def test_a_wrong_option_is_one_clear_line(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    done = bench(tmp_path, *options)

    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
