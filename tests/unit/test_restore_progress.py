"""What is said while journeys are restored."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from stream_app.readiness import Readiness
from stream_app.restore_progress import RestoreProgress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_records_share_rate_and_time_left_are_told_at_most_once_a_second() -> None:
    clock, told = Clock(), list[dict[str, dict[str, Any]]]()
    progress = RestoreProgress(told.append, clock)
    progress.begin(3, 1_000, 5_000)
    clock.now += 2
    progress.stored(3, 1_999)
    progress.stored(3, 2_499)
    clock.now += 2
    progress.stored(3, 2_999)

    assert [t["3"]["records"] for t in told] == [0, 1_000, 2_000]
    assert told[-1]["3"] == {"records": 2_000, "total": 4_000, "percent": 50.0, "records_s": 500, "seconds_left": 4.0}
    progress.end(3, 3_990)
    assert told[-1]["3"]["percent"] == 100.0
    assert told[-1]["3"]["seconds_left"] == 0


def test_a_long_restore_says_so_in_the_log_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = RestoreProgress(lambda _: None, clock)
    progress.begin(0, 0, 10_000)
    with caplog.at_level(logging.WARNING):
        for offset in range(999, 10_000, 1_000):
            clock.now += 4
            progress.stored(0, offset)
    lines = [r.getMessage() for r in caplog.records]
    assert lines[0] == "Restoring partition 0: 3000 of 10000 records (30.0 %), 250 a second, 28 s left"
    assert len(lines) == 3


def test_a_partition_with_nothing_to_restore_is_not_told() -> None:
    told = list[dict[str, dict[str, Any]]]()
    RestoreProgress(told.append, Clock()).end(0, 0)
    assert told == []


def test_the_figures_are_in_the_status_file_until_the_next_rebalance(tmp_path: Path) -> None:
    readiness = Readiness(tmp_path, Clock())
    figures = {"0": {"records": 5, "total": 10, "percent": 50.0, "records_s": 5, "seconds_left": 1.0}}
    readiness.clear()
    readiness.restoring(figures)
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["restored"]) == ("recovering", figures)
    assert not (tmp_path / "ready.json").exists()
    readiness.set({0})
    assert json.loads((tmp_path / "ready.json").read_text())["restored"] == figures
    readiness.clear()
    assert json.loads((tmp_path / "status.json").read_text())["restored"] == {}
