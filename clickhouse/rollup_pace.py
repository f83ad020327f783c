"""How often the roller may work: at once when little is to do, a bounded share of the time when it is dear.

Two kinds of passes. *Quick* ones, over the sums by conversion day of hot days, follow each other after their own
length: on a busy machine they mostly wait for their turn, and a longer pause would make the sums late for nothing.
*Full* ones, over everything, come every ``full_every_s``, later when they would take more than ``share`` of the time.

Pure; seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A full pass should not take longer than that: the newest day waits for its end.
_LONG_S: Final = 0.5
#: Of the time, quick passes may always take that.
_QUICK_SHARE: Final = 0.5


@dataclass(slots=True)
class Pace:
    """Which pass is next and when, and how many days a full one may build.

    ``share``: of the time in which full passes are at work, 0 < share <= 1; quick ones as well if it is more than half.
    ``look_s``: between two looks while nothing is to do. ``full_every_s``: between two full passes while something is.
    ``most_days`` and ``fewest_days``: bounds of a full pass.
    """

    share: float
    look_s: float
    full_every_s: float
    most_days: int
    fewest_days: int
    days: int = 0
    _full_at_s: float = float("-inf")
    _pause_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share: {self.share} is not above 0 and at most 1; give for instance 0.2")
        if self.full_every_s < 0:
            raise ValueError(f"full_every_s: {self.full_every_s} is below 0; give for instance 5")
        self.days = min(self.most_days, self.fewest_days)

    def is_full_due(self, now_s: float) -> bool:
        """Whether the next pass, if it begins now, is a full one."""
        return now_s >= self._full_at_s

    def after_quick(self, built: int, cost_s: float) -> float:
        """Tells of a quick pass that built so many days in so long; returns how long to wait."""
        if built == 0:
            return self.look_s
        self._pause_s = cost_s * (1 / max(self.share, _QUICK_SHARE) - 1)
        return self._pause_s

    def after_full(self, now_s: float, built: int, cost_s: float) -> float:
        """Tells of a full pass that ended now; returns how long to wait for a quick one."""
        if built == 0:
            return self.look_s
        if cost_s > _LONG_S:
            self.days = max(min(self.fewest_days, self.most_days), self.days // 2)
        elif built == self.days:
            self.days = min(self.most_days, self.days * 2)
        self._full_at_s = now_s + max(self.full_every_s, cost_s * (1 / self.share - 1))
        return self._pause_s
