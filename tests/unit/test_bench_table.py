"""The benchmark's table: medians, ratios to ours, and runs that must not pass."""

from __future__ import annotations

from typing import Any

from bench.table import Outcome, markdown, ratio

OURS = "ours"


def run(peer: str, rate: int, cpu: float, first: float | None = None) -> dict[str, Any]:
    return {
        "kind": "throughput",
        "peer": peer,
        "events": 525_000,
        "events_per_s": rate,
        "cpu_s_per_million": cpu,
        "peak_rss_mib": 900,
        "first_credit_s": first,
        "whole_run_s": 20.0,
        "other_cpu_cores": 0.1,
    }


def check(group: str, first: float, wrong: int = 0) -> dict[str, Any]:
    return {"group": group, "first_credit_s": first, "rows_with_wrong_sum": wrong, "rows_with_wrong_weights": 0}


def outcome(*checks: dict[str, Any]) -> Outcome:
    runs = [run(OURS, 90_000, 12.0), run("peer", 30_000, 36.0, 2.0), run(OURS, 120_000, 11.0), run(OURS, 99_000, 13.0)]
    return Outcome("small", runs, checks)


def test_ratios_are_of_medians() -> None:
    """99,000 over 30,000 and 12 over 36."""
    assert ratio(outcome(), OURS, "peer", "events_per_s") == 3.3
    assert ratio(outcome(), OURS, "peer", "cpu_s_per_million") == 12 / 36
    assert "| peer | 1 | 30,000 | 36.0 | 900 | 2.00 | 20.0 | 0.10 | 3.30 | 0.33 |" in markdown(outcome(), OURS)


def test_the_first_credit_of_ours_comes_from_the_first_check_of_each_group() -> None:
    """A restart of the same group leaves another check, which is no first credit."""
    found = outcome(check("a", 5.0), check("a", 1.0), check("b", 6.0), check("c", 7.0))
    assert [r["first_credit_s"] for r in found.runs(OURS)] == [5.0, 6.0, 7.0]


def test_wrong_credits_and_missing_runs_are_faults() -> None:
    """A fast run with a wrong sum is no result."""
    assert not outcome(check("a", 5.0)).faults(OURS)
    assert outcome(check("a", 5.0, wrong=3)).faults(OURS) == ["small: a: rows_with_wrong_sum = 3, it must be 0"]
    assert Outcome("small", [run("peer", 1, 1.0)], []).faults(OURS) == ["small: no run of ours came to its end"]
