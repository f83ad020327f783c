"""What was fitted to data, and from when it counts: the rules behind ``data_driven``.

A fit counts for conversions at or after its ``effective_from_us`` in event time, until the next one does. So a
conversion has one fit, whenever it arrives and however often it is replayed. What a fit says of a path is integers, so
that every machine divides money alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from attribution.config import AttributionConfig
    from attribution.models.base import Path


class FittedRule(Protocol):
    """Divides a conversion among the touches of its path by what was learned."""

    def shares(self, path: Path, config: AttributionConfig) -> tuple[Sequence[int], str]:
        """Numerators, one per touch, never negative, never all 0; and the model that stood in (``""``: none)."""
        ...


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit. ``version`` names it in every row that it has divided."""

    version: str
    effective_from_us: int
    rule: FittedRule

    @property
    def order(self) -> tuple[int, str]:
        """Position among fits; of two from the same time on the later one counts."""
        return (self.effective_from_us, self.version)


class Timeline:
    """Fits in the order of event time. Immutable."""

    __slots__ = ("_fits", "_since")

    def __init__(self, fits: Iterable[Fit] = ()) -> None:
        """Args: fits: in any order; the same version again counts once."""
        self._fits = tuple(sorted({fit.version: fit for fit in fits}.values(), key=lambda fit: fit.order))
        self._since = [fit.effective_from_us for fit in self._fits]

    def __len__(self) -> int:
        return len(self._fits)

    @property
    def fits(self) -> tuple[Fit, ...]:
        """All of them, the oldest first."""
        return self._fits

    def at(self, at_us: int) -> Fit | None:
        """The fit that counts for a conversion at this time; None before the first one."""
        place = bisect_right(self._since, at_us)
        return self._fits[place - 1] if place else None


#: Nothing was fitted.
NO_FITS: Final = Timeline()
