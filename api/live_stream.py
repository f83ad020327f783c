"""One listener's events, from its cursor to its end, as bytes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import pairwise
from typing import Final

from api import live_event
from api.live_cursor import LiveCursor
from api.live_event import Wanted
from api.live_hub import Listener, LiveHub, LiveItem
from api.live_store import LiveRow, Position, Version
from api.store import Unavailable

_RETRY: Final = b"retry: 2000\n\n"
_PAGE: Final = 500
#: How often a listener that comes back may find that the memory has moved on meanwhile.
_TRIES: Final = 5

#: ``LiveStore.inserted_rows`` in a thread.
ReadRows = Callable[[int, list[int], int, Position, int], Awaitable[list[LiveRow]]]


class LiveStream:
    """Made for each request.

    Args:
        hub: of the workspace.
        rows: reads the store where the hub's memory does not reach.
        wanted: model and filters.
        queue: most events that may wait for this listener.
        heartbeat_s: seconds of silence at most, and between two looks at the credentials.
        is_allowed: whether the credentials still hold.
        is_stopping: whether the process is about to end.
    """

    def __init__(
        self,
        hub: LiveHub,
        rows: ReadRows,
        wanted: Wanted,
        *,
        queue: int,
        heartbeat_s: float,
        is_allowed: Callable[[], Awaitable[bool]],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._hub, self._rows, self._wanted = hub, rows, wanted
        self._heartbeat_s, self._is_allowed, self._is_stopping = heartbeat_s, is_allowed, is_stopping
        self._sent: set[Version] = set()
        self.listener = Listener(self._wants, queue)
        self._cursor: LiveCursor | None = None
        self._start: LiveCursor | None = None
        self._is_attached = False
        self.events = 0

    def _wants(self, item: LiveItem) -> bool:
        return (item.row is None or item.row.version not in self._sent) and self._wanted(item)

    def begin(self, cursor: LiveCursor | None) -> None:
        """Listen from now on, and get what is behind the cursor. ``LiveHub.refresh`` came before, ``close`` follows."""
        self._cursor, self._start = cursor, cursor or self._hub.cursor
        self._is_attached = self._hub.attach(self.listener, cursor)

    def close(self) -> None:
        """Listen no more."""
        self._hub.detach(self.listener)

    async def events_of(self) -> AsyncGenerator[bytes]:
        """Events; the last one says why it ends."""
        cursor = self._cursor
        # who begins gets an id at once, so that even one who sees no event can go on
        yield _RETRY + (live_event.heartbeat(self._start) if cursor is None else b"")
        if cursor is not None and cursor.run_id != self._hub.run_id:
            yield live_event.run_changed(LiveCursor("", 0, cursor.stamp_us, self._hub.run_id))
        try:
            if cursor is not None and not self._is_attached:
                async for part in self._from_store(cursor):
                    yield part
            async for part in self._live():
                yield part
        except Unavailable as error:
            yield live_event.end("unavailable", f"{error}; come back with the last id")

    async def _from_store(self, cursor: LiveCursor) -> AsyncGenerator[bytes]:
        """Rows from before the hub's memory; then the listener is attached to the hub, without a gap."""
        for _ in range(_TRIES):
            await self._hub.refresh()
            run_id, behind_us = self._hub.run_id, self._hub.now_us - self._hub.overlap_us
            from_us, after = max(cursor.stamp_us - self._hub.overlap_us, 0), Position(0)
            if cursor.version is not None:
                from_us, after = cursor.stamp_us, Position(cursor.stamp_us, *cursor.version)
            before: LiveRow | None = None
            while not self._is_stopping():
                rows = await self._rows(run_id, [], from_us, after, _PAGE)
                parts = [
                    self._stored(run_id, behind_us, row, former) for former, row in pairwise([before, *rows]) if row
                ]
                if any(parts):
                    yield b"".join(parts)
                if len(rows) < _PAGE:
                    break
                before, after = rows[-1], rows[-1].position
            self._start = LiveCursor("", 0, behind_us, run_id)
            if run_id == self._hub.run_id and self._hub.attach_behind(self.listener, behind_us):
                return
            cursor = self._start
        self.listener.is_slow = True

    def _stored(self, run_id: int, behind_us: int, row: LiveRow, before: LiveRow | None) -> bytes:
        """A row that was read from the store, or nothing."""
        at = row.position
        if row.version in self._sent:
            return b""
        if at.is_removed and before is not None and before.version == (at.conversion_id, at.rev, False):
            return b""
        if at.stamp_us >= behind_us:
            self._sent.add(row.version)
        item = LiveItem(0, at.stamp_us, run_id, row)
        if not self._wanted(item):
            return b""
        self.events += 1
        version = row.version if at.stamp_us < behind_us else None
        return live_event.conversion(LiveCursor("", 0, at.stamp_us, run_id, version), row, self._wanted.model)

    async def _live(self) -> AsyncGenerator[bytes]:
        looked_at = time.monotonic()
        while True:
            if self._is_stopping():
                yield live_event.end("stopping", "the server stops; come back with the last id")
                return
            items = await self.listener.take(self._heartbeat_s)
            if time.monotonic() - looked_at >= self._heartbeat_s:
                if not await self._is_allowed():
                    yield live_event.end("revoked", "the credentials do not hold any more")
                    return
                looked_at = time.monotonic()
            if items:
                yield b"".join(map(self._shown, items))
            elif self.listener.is_slow:
                yield live_event.end("slow", "more came than was read; come back with the last id")
                return
            elif self.listener.has_failed:
                yield live_event.end("failed", "the reading has failed; come back with the last id")
                return
            else:
                yield live_event.heartbeat(self._reached(self.listener.seen))

    def _shown(self, item: LiveItem) -> bytes:
        cursor = LiveCursor(self._hub.name, item.number, item.high_us, item.run_id)
        if item.row is None:
            return live_event.run_changed(cursor)
        self.events += 1
        return live_event.conversion(cursor, item.row, self._wanted.model)

    def _reached(self, seen: LiveItem | None) -> LiveCursor | None:
        if seen is None:
            return self._start
        return LiveCursor(self._hub.name, seen.number, seen.high_us, seen.run_id)
