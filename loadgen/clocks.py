"""From simulated time to event time. Simulated time is float seconds since the start, as journeys live it.

``Clock`` paces it: the i-th record of the stream happens ``i / rate`` seconds after the start, everything else in
between, so that a run covers exactly the period asked for. ``Season`` then bends even time into a calendar: quiet
nights, busy evenings, weaker weekends. Both are monotone, so the order of a journey survives.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

DAY_S: Final = 86_400.0
#: Longer than any delay in ``arrivals``: what happened before it is not asked for again.
HORIZON_DAYS: Final = 90.0
_WEEK_S: Final = 7 * DAY_S
#: 1970-01-01 was a Thursday: seconds from the epoch to the first Monday.
_FIRST_MONDAY_S: Final = 4 * DAY_S
_KNOTS_A_BLOCK: Final = 64

_DIURNAL: Final = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 10, 11, 10, 10, 9, 9, 10, 12, 14, 15, 13, 9, 5)
_WEEKLY: Final = (1.05, 1.05, 1.05, 1.0, 1.0, 0.95, 0.9)


class Season:
    """The rhythm of hours and weekdays (UTC); a week holds a week of even time."""

    def __init__(self, start_us: int) -> None:
        shape = np.outer(_WEEKLY, np.asarray(_DIURNAL) / np.mean(_DIURNAL)).ravel()
        self._even = np.concatenate([[0.0], np.cumsum(shape / shape.mean())]) * 3600.0
        self._hours = np.arange(len(self._even)) * 3600.0
        self._phase = (start_us / 1e6 - _FIRST_MONDAY_S) % _WEEK_S
        self._done = float(np.interp(self._phase, self._hours, self._even))

    def bend(self, seconds: Floats) -> Floats:
        """Calendar seconds since the start for even seconds since the start; 0 stays 0."""
        weeks, rest = np.divmod(seconds + self._done, _WEEK_S)
        bent: Floats = weeks * _WEEK_S + np.interp(rest, self._even, self._hours) - self._phase
        return bent


class Clock:
    """Event time at ``rate`` records a second of it, with or without the rhythm of a calendar.

    Simulated times more than ``HORIZON_DAYS`` before the newest arrival are forgotten: no record is that late.
    """

    def __init__(self, start_us: int, rate: float, season: Season | None) -> None:
        self._start_us = start_us
        self._step_s = 1.0 / rate
        self._season = season
        self._simulated = np.zeros(1)
        self._even = np.zeros(1)

    def advance(self, arrivals: Floats, sent: int) -> None:
        """Pace the records that come next, by their ascending arrivals; ``sent`` records came before them."""
        if not len(arrivals):
            return
        picks = np.unique(np.linspace(0, len(arrivals) - 1, _KNOTS_A_BLOCK).astype(np.int64))
        first = int(np.searchsorted(self._simulated, arrivals[-1] - HORIZON_DAYS * DAY_S))
        # Counting anew from what was sent keeps a live run at the wall clock; never backwards.
        even = np.maximum((sent + picks) * self._step_s, self._even[-1])
        self._simulated = np.concatenate([self._simulated[first:], arrivals[picks]])
        self._even = np.concatenate([self._even[first:], even])

    def to_us(self, seconds: Floats) -> Ints:
        """Microseconds since the epoch; never later than the last record given to ``advance``."""
        even = np.interp(seconds, self._simulated, self._even)
        real = even if self._season is None else self._season.bend(even)
        return self._start_us + np.rint(real * 1e6).astype(np.int64)
