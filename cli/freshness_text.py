"""A measurement of freshness as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_COLUMNS: Final = ("p50", "p90", "p99", "p99.9", "max")
_NAMES: Final = {
    "confirmed": "stored by the broker",
    "credits": "view conversions_attributed",
    "rollup": "view channel_performance",
    "rest": "REST channel-performance",
}


def table(found: Mapping[str, Any]) -> str:
    """Seconds from when a canary was due, place by place; below it what the epochs took, stage by stage."""
    lines = [_load(found["load"]), "", _row("seconds until visible", (*_COLUMNS, "count", "missing", "late", "twice"))]
    for place, numbers in found["places"].items():
        values = [f"{numbers[c]:.3f}" if c in numbers else "-" for c in _COLUMNS]
        counts = [str(numbers[c]) for c in ("count", "missing", "late", "surplus")]
        lines.append(_row(_NAMES[place], (*values, *counts)))
    for place, numbers in found["places"].items():
        if numbers.get("looks"):
            took = numbers["look_seconds"]
            lines.append(
                f"{place}: {numbers['looks']} looks of {took['p50']:.3f} s (p99 {took['p99']:.3f}), "
                f"at most {numbers['longest_gap_s']:.3f} s apart"
            )
        if numbers.get("failed_looks"):
            lines.append(f"{place}: {numbers['failed_looks']} looks failed, the last with {numbers['last_failure']}")
    if found["stages"]:
        lines += ["", _row(f"{found['epochs']} epochs", _COLUMNS)]
        for stage, numbers in found["stages"].items():
            form = "{:,.0f}" if stage == "records" else "{:.3f}"
            lines.append(_row(stage, [form.format(numbers[c]) for c in _COLUMNS]))
    return "\n".join(lines)


def _load(load: Mapping[str, Any]) -> str:
    if not load["rate"]:
        return "no background load"
    how = f", half of {load['measured_maximum']:,}" if "measured_maximum" in load else ""
    return (
        f"background {load['rate']:,.0f} records/s{how}; {load['sent']:,} sent, {load['sent_late']:,} of them late, "
        f"at most {load['most_behind_s']:.2f} s behind; {load['behind_at_end']:,} waiting at the end"
    )


def _row(name: str, cells: Any) -> str:
    return f"{name:<28}" + "".join(f"{cell:>9}" for cell in cells)
