"""Rate limits, quotas and the number of requests at once, per caller; and what guessing of credentials costs.

Counts are in this process's memory (``memory://``: each of several API processes counts for itself) or in Redis, which
all of them share (``redis://…``; needs the package ``redis``). Windows are fixed: a second, a day, as the limit says.
A store of counts that does not answer lets nobody wait: the request goes on, with a line in the log.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import limits
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from api.errors import Problem
from api.settings import ApiSettings

_log: Final = logging.getLogger("api.throttle")
#: Refused credentials of one address, and passwords tried for one name.
_REFUSALS: Final = limits.parse("30/minute")
_PASSWORDS: Final = limits.parse("10/minute")

Headers = list[tuple[bytes, bytes]]


class Throttle:
    """Counts what callers do."""

    def __init__(self, settings: ApiSettings) -> None:
        scheme = settings.rate_storage
        self._limiter = FixedWindowRateLimiter(storage_from_string(f"async+{scheme}"))
        self._limits = [limits.parse(text) for text in (settings.rate_limit, settings.quota) if text]
        self._max_concurrent = settings.max_concurrent
        self._running: Counter[str] = Counter()
        self._warned_at = 0.0

    async def count(self, actor: str) -> Headers:
        """One request more; what to tell the caller of what is left.

        Raises:
            Problem: 429 beyond the rate limit or the quota.
        """
        told: Headers = []
        for item in self._limits:
            is_within, left, reset_s = await self._hit(item, actor)
            if not is_within:
                raise _too_many(f"More than {item}.", reset_s, item.amount)
            if not told:  # the shortest window is the one to keep to
                told = _headers(item.amount, left, reset_s)
        return told

    async def refused(self, address: str) -> None:
        """Credentials were refused.

        Raises:
            Problem: 429 when this address has guessed too often.
        """
        await self._guess(_REFUSALS, f"refused:{address}", "Too many refused credentials.")

    async def password(self, name: str, address: str) -> None:
        """A password is tried.

        Raises:
            Problem: 429 when this name, or this address, was tried too often.
        """
        await self._guess(_PASSWORDS, f"name:{name}", "Too many attempts to sign in.")
        await self._guess(_REFUSALS, f"login:{address}", "Too many attempts to sign in.")

    @contextmanager
    def slot(self, actor: str) -> Iterator[None]:
        """While a request runs.

        Raises:
            Problem: 429 when this caller has too many at once.
        """
        if self._running[actor] >= self._max_concurrent:
            raise Problem(429, f"More than {self._max_concurrent} requests at once.", headers={"Retry-After": "1"})
        self._running[actor] += 1
        try:
            yield
        finally:
            self._running[actor] -= 1
            if not self._running[actor]:
                del self._running[actor]

    async def _guess(self, item: limits.RateLimitItem, who: str, words: str) -> None:
        is_within, _, reset_s = await self._hit(item, who)
        if not is_within:
            raise _too_many(words, reset_s, item.amount)

    async def _hit(self, item: limits.RateLimitItem, who: str) -> tuple[bool, int, float]:
        try:
            is_within = await self._limiter.hit(item, who)
            stats: Any = await self._limiter.get_window_stats(item, who)
        except Exception as error:  # noqa: BLE001 - each store of counts has errors of its own
            if time.monotonic() - self._warned_at > 60:
                self._warned_at = time.monotonic()
                _log.warning("rate limits are not counted: %s", type(error).__name__)
            return True, item.amount, 0.0
        return is_within, stats.remaining, max(stats.reset_time - time.time(), 0.0)


def _too_many(words: str, reset_s: float, amount: int) -> Problem:
    wait = max(1, math.ceil(reset_s))
    told = {name.decode(): value.decode() for name, value in _headers(amount, 0, reset_s)}
    return Problem(429, f"{words} Try again in {wait} s.", headers={"Retry-After": str(wait), **told})


def _headers(amount: int, left: int, reset_s: float) -> Headers:
    return [
        (b"ratelimit-limit", b"%d" % amount),
        (b"ratelimit-remaining", b"%d" % left),
        (b"ratelimit-reset", b"%d" % math.ceil(reset_s)),
    ]
