"""The one reader of a workspace's inserts, shared by all who listen.

While anybody listens it asks, every ``poll_s``, which inserts the engine has taken in the last ``overlap_s``, reads
those whose visible rows have changed, and numbers what it has not seen: so rows that become visible late, or in parts,
are found, each once. What is numbered goes to every listener's own bounded queue, and to a bounded memory from which
one who comes back goes on. A listener whose queue is full is told to end; nobody waits for anybody. One event loop.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from api.live_cursor import LiveCursor
from api.live_store import Inserted, LiveRow, Position, Version
from api.reads import Joined
from api.store import Unavailable

_log: Final = logging.getLogger("api.live")
_PAGE: Final = 500
_STAMPS_AT_ONCE: Final = 1_000
#: Versions that are known beyond the overlap, so that a row written once more after a crash is not news.
_KEPT_VERSIONS: Final = 50_000
#: After a longer pause without listeners what was known is forgotten: catching up would cost more than reading anew.
_KEPT_S: Final = 60.0


class LiveItem(NamedTuple):
    """One numbered event. ``row`` None: another run is shown from here on. ``high_us``: highest stamp up to here."""

    number: int
    high_us: int
    run_id: int
    row: LiveRow | None


class Listener:
    """A queue of at most ``size`` items. ``is_slow``: it was full, and nothing comes any more."""

    def __init__(self, wants: Callable[[LiveItem], bool], size: int) -> None:
        self._wants, self._size = wants, size
        self._items: deque[LiveItem] = deque()
        self._news = asyncio.Event()
        self.is_slow = self.has_failed = False
        self.seen: LiveItem | None = None  # the last one that was offered, wanted or not

    def offer(self, item: LiveItem) -> bool:
        """Take an item; False: there is no room, and never will be."""
        if self._wants(item):
            if len(self._items) >= self._size:
                self.is_slow = True
                self.wake()
                return False
            self._items.append(item)
            self._news.set()
        self.seen = item
        return True

    def preload(self, items: Iterable[LiveItem]) -> None:
        """What was missed, which is in memory anyway, whatever the size."""
        for item in items:
            self.seen = item
            if self._wants(item):
                self._items.append(item)
        if self._items:
            self._news.set()

    def wake(self) -> None:
        """Let it look at its state."""
        self._news.set()

    async def take(self, timeout_s: float) -> list[LiveItem]:
        """What has come, at most a page; none after ``timeout_s``, or when its state has changed."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return []
        found = [self._items.popleft() for _ in range(min(_PAGE, len(self._items)))]
        if not self._items:
            self._news.clear()
        return found


class LiveHub:
    """Made once per workspace.

    Args:
        inserted: asks the store; ``LiveStore.inserted`` in a thread.
        rows: ``LiveStore.inserted_rows`` in a thread.
        poll_s: seconds between two questions.
        overlap_s: how long an insert may take to become visible.
        kept: events in memory.
        monotonic: the clock of durations, seconds.
    """

    def __init__(
        self,
        inserted: Callable[[int, int], Awaitable[Inserted]],
        rows: Callable[[int, list[int], int, Position, int], Awaitable[list[LiveRow]]],
        *,
        poll_s: float,
        overlap_s: float,
        kept: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._inserted, self._rows, self._monotonic = inserted, rows, monotonic
        self._poll_s, self.overlap_us, self._kept = poll_s, int(overlap_s * 1_000_000), kept
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._poll_shared: Joined[None] = Joined(self._poll)
        self._polled_at = float("-inf")
        self._forget()

    def _forget(self) -> None:
        self.name = secrets.token_hex(6)
        self.run_id = self.now_us = self._high_us = self._number = 0
        self._digests: dict[int, int] = {}
        self._known: dict[Version, int] = {}
        self._ring: deque[LiveItem] = deque()
        #: Every row that is known with a stamp from here on is in the ring.
        self.complete_from_us = 0

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def cursor(self) -> LiveCursor:
        """Of what was numbered last."""
        return LiveCursor(self.name, self._number, self._high_us or self.now_us, self.run_id)

    async def refresh(self) -> None:
        """Number what is visible now.

        Raises:
            Unavailable: the store does not answer.
        """
        if self._task is None and self._monotonic() - self._polled_at > _KEPT_S:
            self._forget()
        await self._poll_shared()

    def attach(self, listener: Listener, cursor: LiveCursor | None) -> bool:
        """Give a listener all that is numbered from now on, and first what is behind ``cursor``.

        False: the memory does not reach back to it, and nothing was done.
        """
        if cursor is not None and not self._holds(cursor):
            return False
        if cursor is not None:
            listener.preload(item for item in self._ring if item.number > cursor.number)
        self._add(listener)
        return True

    def attach_behind(self, listener: Listener, from_us: int) -> bool:
        """Give a listener all that is known with a stamp from ``from_us`` on, and all that comes; False as above."""
        if from_us < self.complete_from_us:
            return False
        listener.preload(i for i in self._ring if i.row is not None and i.row.position.stamp_us >= from_us)
        self._add(listener)
        return True

    def detach(self, listener: Listener) -> None:
        """It listens no more; with the last one the reading ends."""
        self._listeners.discard(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    def _add(self, listener: Listener) -> None:
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def _holds(self, cursor: LiveCursor) -> bool:
        first = self._ring[0].number if self._ring else self._number + 1
        return cursor.hub == self.name and first - 1 <= cursor.number <= self._number

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self._poll_shared()
            except Unavailable as error:
                _log.warning("live feed: %s", error)
            except Exception:  # noqa: BLE001 - whatever it is, those who listen are told
                _log.exception("live feed failed")
                self._task = None
                for listener in tuple(self._listeners):
                    listener.has_failed = True
                    listener.wake()
                self._listeners.clear()
                return

    async def _poll(self) -> None:
        before_us = max(self.now_us - self.overlap_us, 0)
        found = await self._inserted(before_us, self.overlap_us)
        if found.run_id != self.run_id:
            if self.run_id:
                self._publish(found.run_id, None)
            self.run_id, self._digests, self._known = found.run_id, {}, {}
        if not self.now_us:
            self.complete_from_us = before_us = found.now_us - self.overlap_us
        changed = [stamp for stamp, digest in found.inserts if self._digests.get(stamp) != digest]
        for start in range(0, len(changed), _STAMPS_AT_ONCE):
            await self._read(found.run_id, changed[start : start + _STAMPS_AT_ONCE])
        # only now: a poll that failed half way is made again, and finds what it has not numbered
        self._digests, self.now_us = dict(found.inserts), max(found.now_us, self.now_us)
        self._polled_at = self._monotonic()
        while len(self._known) > _KEPT_VERSIONS:
            version, stamp_us = next(iter(self._known.items()))
            if stamp_us >= before_us:
                break
            del self._known[version]

    async def _read(self, run_id: int, stamps: list[int]) -> None:
        after = Position(0)
        while True:
            rows = await self._rows(run_id, stamps, stamps[0], after, _PAGE)
            for row in rows:
                self._number_row(run_id, row)
            if len(rows) < _PAGE:
                return
            after = rows[-1].position
            await asyncio.sleep(0)  # listeners send while the next page is read

    def _number_row(self, run_id: int, row: LiveRow) -> None:
        version = row.version
        is_replaced = row.position.is_removed and (version[0], version[1], False) in self._known
        if version in self._known or is_replaced:  # a row of its former minute went: it is still there
            return
        self._known[version] = row.position.stamp_us
        self._publish(run_id, row)

    def _publish(self, run_id: int, row: LiveRow | None) -> None:
        self._number += 1
        if row is not None:
            self._high_us = max(self._high_us, row.position.stamp_us)
        item = LiveItem(self._number, self._high_us or self.now_us, run_id, row)
        self._ring.append(item)
        while len(self._ring) > self._kept:
            gone = self._ring.popleft()
            if gone.row is not None:
                self.complete_from_us = max(self.complete_from_us, gone.row.position.stamp_us + 1)
        for listener in tuple(self._listeners):
            if not listener.offer(item):
                self._listeners.discard(listener)
