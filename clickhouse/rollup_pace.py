"""How often the roller may work: at once when little is to do, a bounded share of the time when it is dear.

Pure; seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A pass should not take longer than that: the newest day waits for the end of the pass.
_LONG_S: Final = 0.5


@dataclass(slots=True)
class Pace:
    """Waits between passes, and how many days the next one may build.

    ``share``: of the time in which passes are at work, 0 < share <= 1. ``look_s``: between two looks while nothing is
    to do. ``most_days`` and ``fewest_days``: bounds of a pass.
    """

    share: float
    look_s: float
    most_days: int
    fewest_days: int
    days: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share: {self.share} is not above 0 and at most 1; give for instance 0.2")
        self.days = min(self.most_days, self.fewest_days)

    def after(self, built: int, cost_s: float) -> float:
        """Tells of a pass that built so many days in so long; returns how long to wait before the next one."""
        if built == 0:
            return self.look_s
        if cost_s > _LONG_S:
            self.days = max(min(self.fewest_days, self.most_days), self.days // 2)
        elif built == self.days:
            self.days = min(self.most_days, self.days * 2)
        return cost_s * (1 / self.share - 1)
