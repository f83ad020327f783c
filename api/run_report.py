"""Runs as answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from api import run_responses as shown
from api.errors import Problem
from api.responses import Meta
from api.run_store import Compared
from attribution.config import DAY_US
from attribution.times import from_us
from clickhouse.run import Checksum, Run, common_window


def find(runs: Sequence[Run], text: str) -> Run:
    """The run of this id, or of this name that was not dropped.

    Raises:
        Problem: 404 that says which there are.
    """
    if text.isascii() and text.isdigit():
        by_id = next((r for r in runs if r.run_id == int(text)), None)
        if by_id is not None:
            return by_id
    named = next((r for r in reversed(runs) if r.name == text and r.status != "dropped"), None)
    if named is None:
        names = ", ".join(f"{r.name} ({r.run_id})" for r in runs if r.status != "dropped")
        raise Problem(404, f"No run {text[:100]!r}; there are: {names}.")
    return named


def entry(run: Run) -> shown.RunEntry:
    """A run."""
    return shown.RunEntry.model_validate(_fields(run))


def compared(a: Run, b: Run, answer: Compared, meta: Meta) -> shown.RunComparison:
    """Two runs side by side."""
    window = common_window(a, b)
    return shown.RunComparison.model_validate(
        {
            "a": _summed(a, answer.sums[0]),
            "b": _summed(b, answer.sums[1]),
            "from": _at(window.from_us),
            "to": _at(window.to_us),
            "models": answer.found.models,
            "channels": answer.found.channels,
            "conversions": answer.found.conversions,
            "meta": meta,
        }
    )


def whole_days(a: Run, b: Run, start: date, end: date) -> tuple[date, date]:
    """The part of these days that both runs hold whole; the first is after the last where there is none."""
    window = common_window(a, b)
    if window.from_us:
        start = max(start, from_us(window.from_us + DAY_US - 1).date())
    if window.to_us:
        end = min(end, from_us(window.to_us).date() - timedelta(days=1))
    return start, end


def _summed(run: Run, checksum: Checksum) -> dict[str, Any]:
    return {**_fields(run), "credit_rows": checksum.credit_rows, "checksum": str(checksum)}


def _fields(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "name": run.name,
        "is_active": run.is_active,
        "is_fed": run.has_feeder,
        "status": run.status,
        "source": run.source,
        "models": list(run.models),
        "model_version": run.config_hash,
        "config": dict(run.config),
        "from": _at(run.window.from_us),
        "to": _at(run.window.to_us),
        "done": run.done,
        "total": run.total,
        "created_at": _at(run.created_us),
        "finished_at": _at(run.finished_us),
        "detail": run.detail,
    }


def _at(at_us: int) -> datetime | None:
    return from_us(at_us) if at_us else None
