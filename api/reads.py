"""Questions to the store that many callers ask at once: asked once, and never answered with what was known before.

``Joined``: a question runs once at a time; who comes while it runs waits for the next turn, which begins after they
came, and shares it with all who came meanwhile. So an answer is never older than the request, and however many ask,
one question is under way. ``JoinedByKey`` holds one of these for each question.

``Kept``: answers by the state of all that they stand on. The state is asked for each request; an answer that was read
under the same state is given again. Under another state it is read again, from what is kept: an answer that consists
of parts may take over those whose state is the same. Errors are not kept. ``keep_s`` bounds how long an answer is kept
or renewed anyway, so that a change that no state shows (a table altered by hand, a replica that lags) heals by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: Answers that are kept; one is a few kilobytes, or with the days that it can be renewed from some hundred.
_KEPT_ANSWERS: Final = 128


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


class JoinedByKey:
    """``Joined`` for any number of questions; one that nobody waits for is forgotten."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, tuple[Joined[Any], int]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of a turn of this question that begins now or later.

        Args:
            key: which question.
            ask: asks it; of those who share a question, one is used.
        """
        joined, waiting = self._asked.get(key, (Joined(ask), 0))
        self._asked[key] = joined, waiting + 1
        try:
            found: T = await joined()
        finally:
            _, waiting = self._asked[key]
            if waiting == 1:
                del self._asked[key]
            else:
                self._asked[key] = joined, waiting - 1
        return found


class _Answer(NamedTuple):
    state: object
    #: When the oldest part of it was asked.
    since: float
    task: asyncio.Task[Any]


class Kept:
    """Answers with the state that they were read under, the newest one of each question.

    Args:
        keep_s: seconds that an answer is kept or renewed at most; 0 keeps none.
        monotonic: the clock of ``keep_s``.
    """

    def __init__(self, *, keep_s: float, monotonic: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._answers: dict[Hashable, _Answer] = {}

    async def get(self, state: object, key: Hashable, ask: Callable[[T | None], Awaitable[T]]) -> T:
        """The answer to a question under this state, shared with all who ask for it.

        Args:
            state: read after the request came and before the answer is; None: not known, so nothing is kept.
            key: which question.
            ask: reads the answer; takes the answer under an earlier state, if there is one to take parts from.
        """
        if state is None or self._keep_s == 0:
            return await ask(None)
        now = self._monotonic()
        held = self._answers.get(key)
        if held is not None and (now - held.since > self._keep_s or _has_failed(held.task)):
            held = None
        if held is None or held.state != state:
            former = held if held is not None and held.task.done() else None
            held = _Answer(
                state,
                former.since if former else now,
                _start(ask(former.task.result() if former else None)),
            )
            self._answers.pop(key, None)
            self._answers[key] = held
            while len(self._answers) > _KEPT_ANSWERS:
                del self._answers[next(iter(self._answers))]
        found: T = await asyncio.shield(held.task)
        return found


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _start(work: Awaitable[T]) -> asyncio.Task[T]:
    """A task of its own: it outlives the request that began it, and its failure may be nobody's any more."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_has_failed)
    return task
