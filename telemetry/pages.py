"""The table of all metrics for docs/metrics.md: ``python -m telemetry.pages`` puts it between the two marks there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from telemetry.catalogue import COMMON, PROGRAMS, SERVED
from telemetry.metric import Metric

BEGIN: Final = "<!-- catalogue: begin -->"
END: Final = "<!-- catalogue: end -->"


def tables() -> str:
    """One table per program, in Markdown."""
    return "\n".join(_lines())


def with_tables(page: str) -> str:
    """The page with the tables of now between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def _lines() -> Iterator[str]:
    for program, metrics in PROGRAMS.items():
        yield f"\n### {program}\n"
        yield f"{SERVED[program]}.\n"
        yield from _table(metrics)
    yield "\n### all of them\n"
    yield from _table(COMMON)
    yield ""


def _table(metrics: Mapping[str, Metric]) -> Iterator[str]:
    yield "| Metric | Kind | Labels | Unit | Meaning |"
    yield "|---|---|---|---|---|"
    for name, metric in metrics.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{name}` | {metric.kind} | {labels} | {metric.unit} | {metric.meaning} |"


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/metrics.md")
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
