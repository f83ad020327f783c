"""What the supervisor does with a part that ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import supervisor
from embedded.process import spawn
from embedded.supervisor import Part, StackOptions, Supervisor
from stream_app.readiness import Readiness


def test_a_part_that_no_restart_can_mend_stays_stopped_and_is_reported_once(tmp_path: Path) -> None:
    """With the end of its log."""
    log, starts, reports = tmp_path / "worker.log", [], list[str]()

    def start() -> object:
        starts.append(1)
        return spawn([sys.executable, "-c", "print('too many invalid'); raise SystemExit(71)"], log=log)

    part = Part("worker-0", start, lambda: False, log)  # type: ignore[arg-type]
    part.start()
    assert part.process is not None
    part.process.wait(30)
    for _ in range(3):
        part.restart_if_ended(reports.append)

    assert starts == [1]
    (report,) = reports
    assert "code 71 and stays stopped" in report
    assert "too many invalid" in report


def test_a_part_that_fails_fast_again_and_again_is_reported_with_its_log_and_waits_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes; the waits are the product's, made short."""
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.01, 0.02, 0.03))
    log, reports = tmp_path / "rollups.log", list[str]()
    part = Part(
        "rollups",
        lambda: spawn([sys.executable, "-S", "-c", "print('no such table'); raise SystemExit(1)"], log=log),
        lambda: True,
        log,
    )
    part.start()
    while len(reports) < 7:
        part.restart_if_ended(reports.append)
        time.sleep(0.002)

    ends = reports[0::2]
    assert [r.split("again in ")[1].split(" s")[0] for r in ends] == ["0.01", "0.02", "0.03", "0.03"]
    assert ["no such table" in r for r in ends] == [False, False, True, True]
    assert "for the 4. time in a row" in ends[3]
    assert reports[1::2] == ["rollups: started again"] * 3


@pytest.mark.parametrize(
    ("on_term", "told"),
    [
        ("signal.SIG_DFL", ""),
        ("lambda *_: sys.exit(0)", ""),
        ("lambda *_: sys.exit(76)", "did not end cleanly, code 76"),
        ("signal.SIG_IGN", "did not end cleanly, code -9"),
    ],
)
def test_a_part_that_does_not_end_cleanly_is_reported_with_its_log(tmp_path: Path, on_term: str, told: str) -> None:
    log, reports = tmp_path / "worker.log", list[str]()
    program = (
        f"import signal, sys, time; signal.signal(signal.SIGTERM, {on_term}); print('up', flush=True); time.sleep(60)"
    )
    part = Part("worker-0", lambda: spawn([sys.executable, "-S", "-c", program], log=log), log.read_text, log)  # type: ignore[arg-type]
    part.start()
    part.wait(30)
    part.stop(reports.append, grace_s=1.0)
    part.stop(reports.append)

    assert (told in reports[0] and "up" in reports[0]) if told else not reports


def test_a_worker_s_state_is_reported_when_it_changes(tmp_path: Path) -> None:
    reports = list[str]()
    watch = Supervisor(StackOptions(tmp_path), reports.append)
    folder = tmp_path / "worker-0"
    watch._workers["worker-0"] = folder
    now = [0.0]
    readiness = Readiness(folder, lambda: now[0])
    steps: tuple[Callable[[], None], ...] = (
        lambda: readiness.set({0, 1}),
        lambda: now.__setitem__(0, 6.0),
        lambda: readiness.sink(answers=False),
        lambda: readiness.sink(answers=False),
        lambda: readiness.sink(answers=True),
        readiness.clear,
    )
    for step in steps:
        step()
        watch.poll()

    assert [r.split(":")[1].strip() for r in reports] == ["sink_unreachable", "ready", "recovering"]
    assert "ClickHouse does not answer" in reports[0]
