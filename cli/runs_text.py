"""Runs and comparisons as text and as JSON-ready values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attribution.money import from_micros
from clickhouse.run import Checksum, Comparison, common_window

if TYPE_CHECKING:
    from attribution.window import Window
    from clickhouse.run import Run


def as_dict(run: Run) -> dict[str, Any]:
    """A run; times ISO-8601, None where there is none."""
    return {
        "name": run.name,
        "run_id": run.run_id,
        "is_active": run.is_active,
        "status": run.status,
        "source": run.source,
        "config_hash": run.config_hash,
        "config": dict(run.config),
        "group_id": run.group_id,
        "from": _iso(run.window.from_us),
        "to": _iso(run.window.to_us),
        "done": run.done,
        "total": run.total,
        "created_at": _iso(run.created_us),
        "finished_at": _iso(run.finished_us),
        "detail": run.detail,
    }


def listed(runs: Sequence[Run]) -> str:
    """A line per run."""
    heads = ("", "name", "id", "status", "source", "parameters", "conversions", "created", "done", "detail")
    lines = [
        (
            "*" if r.is_active else "",
            r.name,
            str(r.run_id),
            r.status,
            r.source,
            r.config_hash or "-",
            _window(r.window),
            (_iso(r.created_us) or "-")[:16],
            f"{r.done:,}/{r.total:,}" if r.total else "-",
            r.detail,
        )
        for r in runs
    ]
    return _table([heads, *lines], right={2, 8})


def compared_as_dict(a: Run, b: Run, sums: tuple[Checksum, Checksum], found: Comparison) -> dict[str, Any]:
    """A comparison; money in micros."""
    window = common_window(a, b)
    return {
        "a": as_dict(a) | _sum(sums[0]),
        "b": as_dict(b) | _sum(sums[1]),
        "from": _iso(window.from_us),
        "to": _iso(window.to_us),
        "models": found.models,
        "channels": found.channels,
        "conversions": [c | {"converted_at": c["converted_at"].isoformat()} for c in found.conversions],
    }


def compared(a: Run, b: Run, sums: tuple[Checksum, Checksum], found: Comparison) -> str:
    """A comparison to read; equal channels are left out."""
    parts = [
        _table(
            [
                ("", "run", "parameters", "rows", "checksum"),
                *(
                    (side, r.name, r.config_hash, f"{s.credit_rows:,}", str(s))
                    for side, r, s in zip("AB", (a, b), sums, strict=True)
                ),
            ],
            right={3},
        )
    ]
    window = common_window(a, b)
    if any(window):
        parts.append(f"compared: conversions {_window(window)}")
    counts = ("equal", "different", "only_a", "only_b")
    parts.append(
        _table(
            [
                ("model", "currency", "equal", "different", "only A", "only B", "value A", "value B"),
                *(
                    (
                        m["model"],
                        m["currency"],
                        *(f"{m[c]:,}" for c in counts),
                        _money(m["value_a"]),
                        _money(m["value_b"]),
                    )
                    for m in found.models
                ),
            ],
            right={2, 3, 4, 5, 6, 7},
        )
    )
    parts.append(_channels(found) or "no channel differs")
    parts.append(_conversions(found) or "no conversion differs in value")
    return "\n\n".join(parts)


def _channels(found: Comparison) -> str:
    moved = [
        c for c in found.channels if c["value_a"] != c["value_b"] or abs(c["conversions_a"] - c["conversions_b"]) > 1e-9
    ]
    lines = [
        (
            c["model"],
            c["channel"],
            c["currency"],
            _money(c["value_a"]),
            _money(c["value_b"]),
            _money(c["value_b"] - c["value_a"], signed=True),
            f"{c['conversions_b'] - c['conversions_a']:+,.3f}",
        )
        for c in moved
    ]
    heads = ("model", "channel", "currency", "value A", "value B", "B - A", "conversions B - A")
    return _table([heads, *lines], right={3, 4, 5, 6}) if lines else ""


def _conversions(found: Comparison) -> str:
    lines = [
        (
            c["conversion_id"],
            f"{c['converted_at']:%Y-%m-%d %H:%M}",
            _money(c["value_a"]),
            _money(c["value_b"]),
            c["currency"],
            _money(c["difference"]),
            ", ".join(c["models"]),
        )
        for c in found.conversions
    ]
    heads = ("conversion", "time (UTC)", "value A", "value B", "currency", "moved", "under")
    return _table([heads, *lines], right={2, 3, 5}) if lines else ""


def _sum(checksum: Checksum) -> dict[str, Any]:
    return {"credit_rows": checksum.credit_rows, "checksum": str(checksum)}


def _table(lines: Sequence[Sequence[str]], right: set[int]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _money(micros: int, *, signed: bool = False) -> str:
    """Two decimals, or all six where the rest would be hidden."""
    digits = 6 if micros % 10_000 else 2
    return f"{from_micros(micros):{'+' if signed else ''},.{digits}f}"


def _window(window: Window) -> str:
    if not any(window):
        return "all"
    return f"{(_iso(window.from_us) or '')[:16]}..{(_iso(window.to_us) or '')[:16]}"


def _iso(at_us: int) -> str | None:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).isoformat() if at_us else None
