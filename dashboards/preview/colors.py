"""Colours of the preview: Grafana's names, and series told apart by name."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

NAMED: Final = {
    "green": "#73BF69",
    "red": "#F2495C",
    "yellow": "#FADE2A",
    "blue": "#5794F2",
    "text": "#CCCCDC",
}
PALETTE: Final = (
    "#5794F2", "#73BF69", "#FF9830", "#B877D9", "#F2CC0C", "#56A64B", "#8AB8FF", "#FF7383",
    "#37872D", "#C4162A", "#1F60C4", "#FFB357", "#8F3BB8", "#6ED0E0", "#E0B400", "#96D98D",
)  # fmt: skip
_PALE, _STRONG = (24, 27, 31), (31, 96, 196)


def named(color: str) -> str:
    """A colour that a browser knows."""
    return NAMED.get(color, color)


def by_name(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, the same in every panel as far as a panel's names leave it free."""
    found: dict[str, str] = {}
    for name in sorted(names):
        place = zlib.crc32(name.encode())
        free = [c for c in PALETTE if c not in found.values()] or list(PALETTE)
        usual = PALETTE[place % len(PALETTE)]
        found[name] = usual if usual in free else free[place % len(free)]
    return found


def at_threshold(value: float | None, steps: Sequence[dict[str, object]]) -> str:
    """The colour of the last step that a value has reached."""
    color = "text"
    for step in steps:
        bound = step["value"]
        if bound is None or (value is not None and value >= float(str(bound))):
            color = str(step["color"])
    return named(color)


def heat(value: float, low: float, high: float) -> str:
    """From pale to strong blue."""
    part = (value - low) / (high - low) if high > low else 0.0
    mixed = (round(a + (b - a) * part) for a, b in zip(_PALE, _STRONG, strict=True))
    return "rgb({},{},{})".format(*mixed)
