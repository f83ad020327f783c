"""When a call is sent again, and after how long.

Full jitter (Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015): a uniform part of an interval
that doubles, so that clients which failed together do not come back together. ``Retry-After`` is the least wait; the
jitter comes on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

#: Uniform between two bounds.
Uniform: TypeAlias = Callable[[float, float], float]
#: The service did not do it, and may do it later.
_STATUSES: Final = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long.

    Attributes:
        attempts: at most, the first one counted; 1 never repeats.
        base_s: interval of the first wait; doubles with each.
        cap_s: largest interval.
        longest_wait_s: a ``Retry-After`` beyond it is not waited for, but told.
    """

    attempts: int = 4
    base_s: float = 0.2
    cap_s: float = 10.0
    longest_wait_s: float = 60.0

    def wait_s(self, failures: int, retry_after_s: float | None, uniform: Uniform) -> float | None:
        """Seconds until the next attempt after ``failures`` of them; None: there is none."""
        least = retry_after_s or 0.0
        if failures >= self.attempts or least > self.longest_wait_s:
            return None
        return least + uniform(0.0, self.interval_s(failures))

    def interval_s(self, failures: int) -> float:
        """The interval that the wait is drawn from."""
        return min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 60))


def is_transient(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in _STATUSES


def retry_after_s(text: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds a number or a date; None where it says nothing.

    Args:
        text: the header.
        now: when it came, aware; the clock's time when left out.
    """
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
