"""Rows as aligned text; amounts of micros as currency units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Lines under a header; the first ``left`` columns begin at the left, the others end at the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def money(amount: Decimal | None) -> str:
    """Two places at least, six at most: nothing is rounded away."""
    if amount is None:
        return "-"
    whole, _, places = f"{amount:,f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def ratio(value: float | Decimal | None) -> str:
    """Two places; ``-`` where there is none."""
    return "-" if value is None else f"{value:,.2f}"
