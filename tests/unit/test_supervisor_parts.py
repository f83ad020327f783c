"""What the supervisor does with a part that ended."""

from __future__ import annotations

import sys
from pathlib import Path

from embedded.process import spawn
from embedded.supervisor import Part


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
