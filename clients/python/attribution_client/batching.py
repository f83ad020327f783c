"""Events that wait to be sent, and which of them go into one call. Pure: no thread, no clock.

An event stays here until the service has confirmed or refused it, so that whatever happens to a call loses nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from attribution_client import lines


class Queued(NamedTuple):
    """An event as it is sent: ``kind`` is the last part of its path, ``line`` its JSON."""

    kind: str
    event_id: str
    line: bytes


class Rejected(NamedTuple):
    """An event that the service refused: no repetition helps. ``detail`` says what would be right."""

    event: Queued
    field: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Batching:
    """How ``track`` and ``conversion`` queue and send.

    Attributes:
        max_queued, max_queued_bytes: events held at most.
        max_events, max_bytes: of one call, before it is packed.
        linger_s: how long the first event of a call waits for others.
        block_s: how long ``track`` waits for room in a full queue before it raises ``QueueFull``; 0: it refuses at
            once, as ``AsyncClient`` always does.
        close_s: how long ``close``, the end of the program, and a ``flush`` without a time wait for deliveries.
        spool: file, one for each process, that takes at the end what was not delivered, and gives it back to the next
            client with the same file.
        on_rejected: is told of each refused event, in the sending thread; left out, they are counted in the log.
    """

    max_queued: int = 50_000
    max_queued_bytes: int = 64_000_000
    max_events: int = 1_000
    max_bytes: int = 4_000_000
    linger_s: float = 0.5
    block_s: float = 30.0
    close_s: float = 30.0
    spool: Path | None = None
    on_rejected: Callable[[Rejected], None] | None = None

    def __post_init__(self) -> None:
        for name, most in (("max_events", lines.MAX_EVENTS), ("max_bytes", lines.MAX_BODY_BYTES)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name}={getattr(self, name)}: give 1 to {most}, which is what one call may carry")
        if self.max_queued < 1 or self.max_queued_bytes < lines.MAX_EVENT_BYTES:
            raise ValueError(f"the queue must hold an event: max_queued >= 1, bytes >= {lines.MAX_EVENT_BYTES}")


class Backlog:
    """Queues by kind of event, with counts of what came and what is done."""

    def __init__(self, settings: Batching) -> None:
        self._settings = settings
        self._queues: dict[str, deque[tuple[int, Queued]]] = {}
        self._came: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._number = 0
        self.count = 0
        self.size = 0

    def has_room(self, event: Queued) -> bool:
        """Whether it may be put."""
        settings = self._settings
        return self.count < settings.max_queued and self.size + len(event.line) <= settings.max_queued_bytes

    def put(self, event: Queued) -> None:
        """At the end of its queue."""
        self._number += 1
        self._queues.setdefault(event.kind, deque()).append((self._number, event))
        self._came[event.kind] = self._came.get(event.kind, 0) + 1
        self.count += 1
        self.size += len(event.line)

    def next_batch(self) -> list[Queued]:
        """What the next call carries: the front of the queue whose first event is oldest, as much as fits one call."""
        waiting = [queue for queue in self._queues.values() if queue]
        if not waiting:
            return []
        found: list[Queued] = []
        size = 0
        oldest = min(waiting, key=lambda queue: queue[0][0])
        for _, event in islice(oldest, self._settings.max_events):
            size += len(event.line) + 1
            if found and size > self._settings.max_bytes:
                break
            found.append(event)
        return found

    def is_full_batch(self) -> bool:
        """Whether a call could carry no more, so that waiting gains nothing."""
        settings = self._settings
        return self.size >= settings.max_bytes or any(len(q) >= settings.max_events for q in self._queues.values())

    def settle(self, batch: list[Queued]) -> None:
        """Confirmed or refused: a front of its queue, as ``next_batch`` gave it."""
        queue = self._queues[batch[0].kind]
        for _ in batch:
            queue.popleft()
        self._done[batch[0].kind] = self._done.get(batch[0].kind, 0) + len(batch)
        self.count -= len(batch)
        self.size -= sum(len(event.line) for event in batch)

    def mark(self) -> dict[str, int]:
        """What has come until now, for ``is_past``."""
        return dict(self._came)

    def is_past(self, mark: dict[str, int]) -> bool:
        """Whether everything that had come at the mark is done."""
        return all(self._done.get(kind, 0) >= count for kind, count in mark.items())

    def events(self) -> list[Queued]:
        """Everything that is not done, in the order in which it came."""
        return [event for _, event in sorted(item for queue in self._queues.values() for item in queue)]
