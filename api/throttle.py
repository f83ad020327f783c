"""Rate limits, quotas and the number of requests at once, per caller; and what guessing of credentials costs.

Counts are in this process's memory (``memory://``: each of several API processes counts for itself) or in Redis, which
all of them share (``redis://…``; needs the package ``redis``). Windows are fixed: a second, a day, as the limit says.
A store of counts that does not answer lets nobody wait: the request goes on, with a line in the log.

Of a large limit a hundredth is taken at a time and used up here, since asking the store costs as much as all the rest
of the gate: the caller may be refused up to that much early, and several processes share a limit to that grain.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from typing import Any, Final

import limits
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from api.errors import Problem
from api.settings import ApiSettings, SettingsError

_log: Final = logging.getLogger("api.throttle")
#: Refused credentials of one address, and passwords tried for one name.
_REFUSALS: Final = limits.parse("30/minute")
_PASSWORDS: Final = limits.parse("10/minute")

_GRAIN: Final = 100
_KEPT_LEASES: Final = 10_000
Headers = list[tuple[bytes, bytes]]


class _Lease:
    """Requests of one caller that were counted in the store already and may still be made until the window ends."""

    __slots__ = ("beyond", "ends_at", "left")

    def __init__(self, left: int, beyond: int, ends_at: float) -> None:
        self.left, self.beyond, self.ends_at = left, beyond, ends_at


class Throttle:
    """Counts what callers do."""

    def __init__(self, settings: ApiSettings) -> None:
        self._limiter = FixedWindowRateLimiter(_storage(settings.rate_storage))
        self._limits = [limits.parse(text) for text in (settings.rate_limit, settings.quota) if text]
        self._leases: dict[tuple[limits.RateLimitItem, str], _Lease] = {}
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
            is_within, left, reset_s = await self._take(item, actor)
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
        """A password is tried, or a key, which has no ``name`` and cannot be guessed.

        Raises:
            Problem: 429 when this name was tried, or this address has tried, too often.
        """
        if name:
            await self._guess(_PASSWORDS, f"name:{name}", "Too many attempts to sign in.")
        await self._guess(_REFUSALS, f"login:{address}", "Too many attempts to sign in.")

    def begin(self, actor: str) -> None:
        """A request begins to run; ``end`` must follow.

        Raises:
            Problem: 429 when this caller has too many at once.
        """
        if self._running[actor] >= self._max_concurrent:
            raise Problem(429, f"More than {self._max_concurrent} requests at once.", headers={"Retry-After": "1"})
        self._running[actor] += 1

    def end(self, actor: str) -> None:
        """It is over."""
        self._running[actor] -= 1
        if not self._running[actor]:
            del self._running[actor]

    async def _guess(self, item: limits.RateLimitItem, who: str, words: str) -> None:
        is_within, _, reset_s = await self._hit(item, who)
        if not is_within:
            raise _too_many(words, reset_s, item.amount)

    async def _take(self, item: limits.RateLimitItem, who: str) -> tuple[bool, int, float]:
        """One request, of a lease where there is one."""
        now, lease = time.time(), self._leases.get((item, who))
        if lease is not None and lease.left and now < lease.ends_at:
            lease.left -= 1
            return True, lease.left + lease.beyond, lease.ends_at - now
        block = max(1, item.amount // _GRAIN)
        is_within, beyond, reset_s = await self._hit(item, who, block)
        if is_within and block > 1:
            if len(self._leases) >= _KEPT_LEASES:
                self._leases.clear()
            self._leases[item, who] = _Lease(block - 1, beyond, now + reset_s)
        return is_within, beyond + block - 1, reset_s

    async def _hit(self, item: limits.RateLimitItem, who: str, cost: int = 1) -> tuple[bool, int, float]:
        try:
            is_within = await self._limiter.hit(item, who, cost=cost)
            stats: Any = await self._limiter.get_window_stats(item, who)
        except Exception as error:  # noqa: BLE001 - each store of counts has errors of its own
            if time.monotonic() - self._warned_at > 60:
                self._warned_at = time.monotonic()
                _log.warning("rate limits are not counted: %s", type(error).__name__)
            return True, item.amount, 0.0
        return is_within, stats.remaining, max(stats.reset_time - time.time(), 0.0)


def _storage(url: str) -> Any:
    try:
        # of the clients that `limits` can use for Redis, the one that we depend on; memory has no use for it
        return storage_from_string(f"async+{url}", implementation="redispy")
    except ConfigurationError:
        scheme = url.partition(":")[0]  # the rest may hold a password
        raise SettingsError(
            f"ATTRIBUTION_API_RATE_STORAGE={scheme}://…: the package redis is missing; install "
            "realtime-attribution[redis], or count in each process for itself: memory://"
        ) from None


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
