"""What ``attribution simulate`` says: a line now and then while it sends, and what came of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadgen.run import RunReport

_EVERY_S = 2.0
#: Behind the schedule by more than this is said.
_BEHIND_S = 0.1


def progress() -> Callable[[int, float], None]:
    """Takes records sent and seconds behind; prints a line every two seconds, nothing when stderr is no terminal."""
    import time

    if not sys.stderr.isatty():
        return lambda _sent, _behind_s: None
    last_at, last_count = time.monotonic(), 0

    def show(sent: int, behind_s: float) -> None:
        nonlocal last_at, last_count
        now = time.monotonic()
        if now - last_at >= _EVERY_S:
            behind = f", {behind_s:,.1f} s behind" if behind_s > _BEHIND_S else ""
            print(f"{sent:,} records, {(sent - last_count) / (now - last_at):,.0f}/s{behind}", file=sys.stderr)
            last_at, last_count = now, sent

    return show


def summary(report: RunReport, truth: Path | None) -> str:
    """A few lines."""
    tally, send = report.tally, report.send
    valid = ", ".join(
        f"{count:,} {kind}s" if kind != "spend" else f"{count:,} spend" for kind, count in sorted(tally.valid.items())
    )
    pace = ""
    if send.target_rate:
        pace = f", target {send.target_rate:,.0f}/s, at most {send.max_behind_s * 1000:,.0f} ms behind"
        pace += f", {send.late:,} of them late" if send.late else ""
    lines = [
        f"{tally.records:,} records in {send.seconds:.1f} s ({send.achieved_rate:,.0f}/s{pace})",
        f"{valid}; {tally.duplicates:,} delivered twice, {tally.malformed.total():,} malformed",
    ]
    if report.generate_rate:
        lines.append(f"made before sending at {report.generate_rate:,.0f}/s")
    if truth:
        lines.append(f"truth: {truth}")
    return "\n".join(lines)
