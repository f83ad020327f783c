"""A rule for tests: to each channel a number."""

from __future__ import annotations

from collections.abc import Sequence

from attribution.config import AttributionConfig
from attribution.fitted import Fit
from attribution.models.base import Path


class Effects(dict[str, int]):
    """By channel; ``linear`` stands in on a path without an effect."""

    def shares(self, path: Path, _config: AttributionConfig) -> tuple[Sequence[int], str]:
        found = [self.get(touch[2], 0) for touch in path.touches]
        return (found, "") if any(found) else ([1] * len(found), "linear")


def fit(version: str, from_us: int, **effects: int) -> Fit:
    """A fit of these effects."""
    return Fit(version, from_us, Effects(effects))
