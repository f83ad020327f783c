"""Records of the peers' runner as a table: medians with their spread, and ratios to ours. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

#: Heading, field of the runner's record, digits.
_FIELDS: Final = (
    ("events/s", "events_per_s", 0),
    ("CPU-s per million", "cpu_s_per_million", 1),
    ("peak MiB", "peak_rss_mib", 0),
    ("first credit s", "first_credit_s", 2),
    ("whole run s", "whole_run_s", 1),
    ("others' cores", "other_cpu_cores", 2),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One workload: the runner's records, and what ClickHouse held after each stop of ours."""

    workload: str
    records: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For storing."""
        return asdict(self)

    def runs(self, peer: str) -> list[dict[str, Any]]:
        """Its throughput runs; ours with the first credit, which the runner cannot see."""
        found = [dict(r) for r in self.records if r["kind"] == "throughput" and r["peer"] == peer]
        firsts = [check["first_credit_s"] for check in self._first_checks()]
        for run, first in zip(found, firsts, strict=False):
            if run["first_credit_s"] is None:
                run["first_credit_s"] = first
        return found

    def peers(self) -> list[str]:
        """In the order of their first run."""
        return list(dict.fromkeys(r["peer"] for r in self.records if r["kind"] == "throughput"))

    def faults(self, ours: str) -> list[str]:
        """What is wrong with our runs, in words."""
        if not self.runs(ours):
            return [f"{self.workload}: no run of {ours} came to its end"]
        return [
            f"{self.workload}: {check['group']}: {name} = {check[name]}, it must be 0"
            for check in self.checks
            for name in ("rows_with_wrong_sum", "rows_with_wrong_weights")
            if check[name]
        ]

    def _first_checks(self) -> list[Mapping[str, Any]]:
        """One check per group: a restart appends another."""
        by_group: dict[str, Mapping[str, Any]] = {}
        for check in self.checks:
            by_group.setdefault(check["group"], check)
        return list(by_group.values())


def ratio(outcome: Outcome, ours: str, peer: str, name: str) -> float | None:
    """Median of ours over the peer's."""
    mine, other = _values(outcome.runs(ours), name), _values(outcome.runs(peer), name)
    return statistics.median(mine) / statistics.median(other) if mine and other else None


def markdown(outcome: Outcome, ours: str) -> str:
    """Two tables: throughput (lowest / median / highest) with ratios, and restarts."""
    lines = [
        f"### {outcome.workload}: {_events(outcome):,} events",
        "",
        "| contestant | runs | "
        + " | ".join(heading for heading, _, _ in _FIELDS)
        + " | events/s: ours ÷ it | CPU: ours ÷ it |",
        "|---|--:|" + "--:|" * (len(_FIELDS) + 2),
    ]
    for peer in outcome.peers():
        runs = outcome.runs(peer)
        cells = [_span(_values(runs, name), digits) for _, name, digits in _FIELDS]
        speed, cpu = (ratio(outcome, ours, peer, name) for name in ("events_per_s", "cpu_s_per_million"))
        ratios = ["", ""] if peer == ours or speed is None or cpu is None else [f"{speed:.2f}", f"{cpu:.2f}"]
        lines.append(f"| {peer} | {len(runs)} | " + " | ".join([*cells, *ratios]) + " |")
    restarts = [r for r in outcome.records if r["kind"].startswith("restart")]
    if restarts:
        lines += [
            "",
            "| contestant | restart | s to done | restore s | changelog records | records/s |",
            "|---|---|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {r['peer']} | {r['kind'].removeprefix('restart-')} | {r.get('seconds', 'not done')} | "
            f"{r.get('restore_s', '')} | {r['changelog_records']:,} | {_number(r.get('records_per_s'), 0)} |"
            for r in restarts
        ]
    return "\n".join([*lines, ""])


def _events(outcome: Outcome) -> int:
    return max((r["events"] for r in outcome.records if r["kind"] == "throughput"), default=0)


def _values(runs: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [run[name] for run in runs if run[name] is not None]


def _span(values: Sequence[float], digits: int) -> str:
    if not values:
        return ""
    low, middle, high = (_number(f(values), digits) for f in (min, statistics.median, max))
    return middle if len(values) == 1 else f"{low} / **{middle}** / {high}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
