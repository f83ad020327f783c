"""What the channels truly caused, for comparing models with: nobody who only sees the events can know it.

``incremental_conversions`` of a channel is the sum, over the journeys, of the chance to convert minus the chance had
the contacts with this channel not happened. The channels' shares need not sum to the conversions: many
people would have come anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from loadgen.clocks import Floats
    from loadgen.journeys import Block


@dataclass(frozen=True, slots=True)
class CausalReport:
    """Sums over the journeys that were decided: sold or given up."""

    journeys: int
    converted: int
    expected_conversions: float
    incremental_conversions: dict[str, float]

    def __add__(self, other: CausalReport) -> CausalReport:
        """Both together."""
        mine, theirs = self.incremental_conversions, other.incremental_conversions
        return CausalReport(
            self.journeys + other.journeys,
            self.converted + other.converted,
            self.expected_conversions + other.expected_conversions,
            {name: mine.get(name, 0.0) + theirs.get(name, 0.0) for name in {**mine, **theirs}},
        )

    def __mul__(self, times: int) -> CausalReport:
        """The same so many times."""
        return CausalReport(
            self.journeys * times,
            self.converted * times,
            self.expected_conversions * times,
            {name: value * times for name, value in self.incremental_conversions.items()},
        )


class CausalTruth:
    """Adds up blocks; a report covers the journeys decided by a simulated second."""

    def __init__(self, channels: list[str]) -> None:
        self._channels = channels
        # Columns: 1 per journey, converted, chance, then one per channel.
        self._settled = np.zeros(3 + len(channels))
        self._decided_at: Floats = np.zeros(0)
        self._open: Floats = np.zeros((0, 3 + len(channels)))

    def add(self, block: Block, *, settle_before: float) -> None:
        """Take in a block; what was decided by ``settle_before`` is only kept as a sum, for good."""
        done = self._decided_at <= settle_before
        self._settled += self._open[done].sum(axis=0)
        columns = np.column_stack([np.ones(len(block.chance)), block.converted, block.chance, block.incremental])
        self._open = np.concatenate([self._open[~done], columns])
        self._decided_at = np.concatenate([self._decided_at[~done], block.decided_at])

    def report(self, until: float) -> CausalReport:
        """The sums at a simulated second, which must not lie before the last ``settle_before``."""
        total = self._settled + self._open[self._decided_at <= until].sum(axis=0)
        return CausalReport(
            journeys=int(total[0]),
            converted=int(total[1]),
            expected_conversions=float(total[2]),
            incremental_conversions=dict(zip(self._channels, total[3:].tolist(), strict=True)),
        )
