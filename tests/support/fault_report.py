"""Results of fault runs: one JSON line each, and the matrix made of them.

``ATTRIBUTION_FAULT_RESULTS`` names the file; ``python -P tests/support/fault_report.py FILE`` prints its matrix as
Markdown. A run of the real worker must have no violation; a run of a negative control must have one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

RESULTS: Final = "ATTRIBUTION_FAULT_RESULTS"
INVARIANTS: Final = tuple(f"I{n}" for n in range(1, 11))

FAULTS: Final = {
    1: "kill -9 at the four gaps of an epoch",
    2: "kill -9, state directory wiped or exchanged",
    3: "broker killed, or paused",
    4: "ClickHouse away, slow, cut off, answer lost",
    5: "rebalance 1-2-1, pause past the session",
    6: "duplicates, disorder, one topic late",
    7: "disk full (worker, ClickHouse)",
    8: "poison records",
    9: "clock skew",
    10: "stale directory after compacted tombstones",
    11: "full replay into a new run while live",
}

CONTROLS: Final = {
    "a": "no re-emit on replay",
    "b": "commit before insert",
    "c": "chain check off",
    "d": "two epochs at once",
    "e": "MergeTree instead of ReplacingMergeTree",
    "f": "CRC32 partitioner on one producer",
}


@dataclass
class Result:
    """One run. ``counts``: what was inflicted and seen; ``violations``: texts by invariant that was checked."""

    fault: int
    name: str
    seed: int
    control: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def broken(self) -> list[str]:
        """Invariants that were violated."""
        return [name for name, texts in self.violations.items() if texts]

    def write(self) -> None:
        """Append to the results file, if there is one."""
        if path := os.environ.get(RESULTS):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(self)) + "\n")


def read(path: Path) -> list[Result]:
    """Every run of a results file."""
    return [Result(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def matrix(results: list[Result]) -> str:
    """Faults by invariants, then the controls, as Markdown. A cell is runs with a violation / runs that checked."""
    by_fault: dict[int, list[Result]] = defaultdict(list)
    by_control: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.control:
            by_control[result.control].append(result)
        else:
            by_fault[result.fault].append(result)
    lines = [
        f"| # | Fault | Runs | Inflicted and seen | Seeds | {' | '.join(INVARIANTS)} |",
        f"|---|---|---|---|---|{'---|' * len(INVARIANTS)}",
    ]
    for fault, runs in sorted(by_fault.items()):
        cells = " | ".join(_cell(runs, name) for name in INVARIANTS)
        lines.append(f"| {fault} | {FAULTS[fault]} | {len(runs)} | {_counts(runs)} | {_seeds(runs)} | {cells} |")
    lines += ["", "| Control | Protection taken away | Runs | Detected | Broken invariants |", "|---|---|---|---|---|"]
    for control, runs in sorted(by_control.items()):
        broken = sorted({name for run in runs for name in run.broken}, key=INVARIANTS.index)
        detected = sum(bool(run.broken) for run in runs)
        lines.append(f"| {control} | {CONTROLS[control]} | {len(runs)} | {detected} | {', '.join(broken)} |")
    return "\n".join(lines)


def _cell(runs: list[Result], name: str) -> str:
    checked = [run for run in runs if name in run.violations]
    return f"{sum(bool(run.violations[name]) for run in checked)}/{len(checked)}" if checked else "-"


def _counts(runs: list[Result]) -> str:
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run.counts)
    return ", ".join(f"{count:,} {what}" for what, count in total.items())


def _seeds(runs: list[Result]) -> str:
    seeds = sorted({run.seed for run in runs})
    is_range = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if is_range else ", ".join(map(str, seeds))


if __name__ == "__main__":
    sys.stdout.write(matrix(read(Path(sys.argv[1]))) + "\n")
