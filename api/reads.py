"""Questions to the store that many callers ask at once: asked once, and never answered with what was known before.

``Joined``: a question runs once at a time; who comes while it runs waits for the next turn, which begins after they
came, and shares it with all who came meanwhile. So an answer is never older than the request, and however many ask,
one question is under way.

``Kept``: reports by the store's version (``Store.version``), a number that differs when anything a report reads may
differ. The version is asked for each request; a report that was asked under the same version is given again. What is
kept is therefore never older than the newest finished pass of the rollups, and new spend or exchange rates count at
once. Errors are not kept. ``keep_s`` bounds how long a report is kept anyway, so that a change that no version shows
(a table altered by hand, a replica that lags) heals by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

T = TypeVar("T")

#: Reports of one version that are kept; each is a few kilobytes.
_KEPT_REPORTS: Final = 256


class Joined(Generic[T]):
    """One question.

    Args:
        ask: asks it; its failure is the answer of all who share the turn.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._running: asyncio.Task[T] | None = None
        self._waiting: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """The answer of a turn that begins now or later. A caller that gives up leaves the turn to the others."""
        if self._waiting is None:
            self._waiting = _start(self._turn(self._running))
        return await asyncio.shield(self._waiting)

    async def _turn(self, before: asyncio.Task[T] | None) -> T:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._running, self._waiting = self._waiting, None
        return await self._ask()


class _Report(NamedTuple):
    asked_at: float
    task: asyncio.Task[Any]


class Kept:
    """Reports of the newest version.

    Args:
        keep_s: seconds that a report is kept at most; 0 keeps none.
        monotonic: the clock of ``keep_s``.
    """

    def __init__(self, *, keep_s: float, monotonic: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._version: int | None = None
        self._reports: dict[Hashable, _Report] = {}

    async def get(self, version: int | None, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """A report of this version, shared with all who ask for it.

        Args:
            version: read after the request came and before the report is; None: not known, so nothing is kept.
            key: which report.
            ask: reads it.
        """
        if version is None or self._keep_s == 0:
            return await ask()
        if version != self._version:
            self._version, self._reports = version, {}
        now = self._monotonic()
        held = self._reports.get(key)
        if held is None or now - held.asked_at > self._keep_s or _has_failed(held.task):
            held = _Report(now, _start(ask()))
            self._reports.pop(key, None)
            self._reports[key] = held
            while len(self._reports) > _KEPT_REPORTS:
                del self._reports[next(iter(self._reports))]
        return cast("T", await asyncio.shield(held.task))


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _start(work: Awaitable[T]) -> asyncio.Task[T]:
    """A task of its own: it outlives the request that began it, and its failure may be nobody's any more."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_has_failed)
    return task
