"""A thread that sends what is queued, in batches, until it is confirmed.

The queue is bounded: when it is full, ``put`` waits, then refuses. A failure that may pass keeps the batch at the
front and is tried again with full jitter; a refusal of single events is told and done with. ``close``, and the end of
the program through ``atexit``, wait for what is queued.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from attribution_client import spool
from attribution_client.batching import Backlog, Batching, Queued, Rejected
from attribution_client.delivery import Post, Settled, deliver
from attribution_client.problems import AttributionError, NotDelivered, Problem, ProtocolError, QueueFull
from attribution_client.retrying import Retries, Uniform, is_transient

_log: Final = logging.getLogger("attribution_client")
#: After the client's own attempts have failed: longer waits, and no end to them.
_PAUSES: Final = Retries(base_s=0.5, cap_s=30.0)


@contextmanager
def told(error: BaseException | None) -> Iterator[None]:
    """At the end of a ``with`` block that failed: its own error stays, with a note of what was not delivered."""
    try:
        yield
    except NotDelivered as left:
        if error is None:
            raise
        error.add_note(str(left))


class Delivered(NamedTuple):
    """Counts since the client was made."""

    accepted: int
    rejected: int


class Sender:
    """Queue and thread; the thread starts with the first event.

    Args:
        post: sends a body.
        settings: bounds and times.
        uniform: source of the jitter.

    Raises:
        ValueError: the spool file is none.
    """

    def __init__(self, post: Post, settings: Batching, uniform: Uniform) -> None:
        self._post, self._settings, self._uniform = post, settings, uniform
        self._backlog = Backlog(settings)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._first_at = 0.0
        self._is_hurried = self._is_closing = self._must_stop = False
        self._begun = self._ended = 0  # attempts
        self._error: AttributionError | None = None
        self._accepted = self._rejected = 0
        self._holds_spooled = False
        self._at_exit: Callable[[], None] | None = None
        if settings.spool is not None:
            spooled = spool.load(settings.spool)
            self._holds_spooled = bool(spooled)
            with self._changed:
                for event in spooled:
                    self._put(event)

    def put(self, event: Queued) -> None:
        """Queue an event.

        Raises:
            QueueFull: no room within ``block_s``.
            RuntimeError: the client is closed.
        """
        with self._changed:
            if self._is_closing:
                raise RuntimeError("the client is closed")
            if not self._changed.wait_for(lambda: self._backlog.has_room(event), self._settings.block_s):
                cause = f"; the last attempt: {self._error}" if self._error else ""
                raise QueueFull(f"{self._backlog.count} events are queued and none was confirmed in time{cause}")
            if self._is_closing:
                raise RuntimeError("the client is closed")
            self._put(event)

    def flush(self, timeout_s: float | None = None) -> Delivered:
        """Wait until everything that was queued before is confirmed or refused.

        Raises:
            NotDelivered: not in time, or the service will not take it; the events stay queued.
        """
        with self._changed:
            mark, begun = self._backlog.mark(), self._begun
            self._is_hurried = True
            self._changed.notify_all()
            self._changed.wait_for(  # an attempt under way may have been answered before this call: it decides nothing
                lambda: self._backlog.is_past(mark) or (self._ended > begun and self._is_refused()),
                self._settings.close_s if timeout_s is None else timeout_s,
            )
            if not self._backlog.is_past(mark):
                raise self._not_delivered()
            return Delivered(self._accepted, self._rejected)

    def close(self, timeout_s: float | None = None) -> None:
        """Flush, then end the thread; a second call does nothing.

        Raises:
            NotDelivered: what could not be delivered, unless a spool file took it.
        """
        with self._changed:
            if self._is_closing:
                return
            self._is_closing = True
            self._changed.notify_all()
        try:
            self.flush(timeout_s)
        except NotDelivered as left:
            if self._settings.spool is None:
                raise
            spool.store(self._settings.spool, list(left.events))
            _log.warning("%d events were not delivered; they are in %s", len(left.events), self._settings.spool)
        finally:
            self._end()

    def _end(self) -> None:
        with self._changed:
            self._must_stop = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(1.0)  # a call under way ends by itself; the thread holds nothing up
        if self._at_exit is not None:
            atexit.unregister(self._at_exit)

    def _put(self, event: Queued) -> None:
        if self._backlog.count == 0:
            self._first_at = time.monotonic()
        self._backlog.put(event)
        if self._thread is None:
            self._start()
        if self._backlog.count == 1 or self._backlog.is_full_batch():
            self._changed.notify_all()

    def _start(self) -> None:
        itself = weakref.ref(self)

        def at_exit() -> None:
            sender = itself()
            if sender is not None:
                sender.close_at_exit()

        self._at_exit = at_exit
        atexit.register(at_exit)
        self._thread = threading.Thread(target=self._work, name="attribution-client", daemon=True)
        self._thread.start()

    def close_at_exit(self) -> None:
        """The same as ``close`` where nobody can be told but the log."""
        try:
            self.close()
        except NotDelivered as left:
            _log.error("%s; name a spool file to keep them", left)

    def _work(self) -> None:
        failures = 0
        while batch := self._next_batch():
            error: AttributionError | None = None
            try:
                for settled in deliver(batch, self._post):
                    self._settle(settled)
            except AttributionError as caught:
                error = caught
            except Exception as caught:  # noqa: BLE001 - the thread must not die: its events would be stuck unseen
                error = ProtocolError(f"sending failed: {type(caught).__name__} {caught}")
            failures = 0 if error is None else failures + 1
            with self._changed:
                self._ended += 1
                self._error = error
                self._first_at = 0.0  # what is left waits for nobody
                self._changed.notify_all()
                if error is not None:
                    pause = self._uniform(0.0, _PAUSES.interval_s(failures))
                    self._changed.wait_for(lambda: self._must_stop or self._is_hurried, pause)

    def _next_batch(self) -> list[Queued]:
        """The next one when it is due; empty: stop."""
        with self._changed:
            while not self._must_stop:
                if self._backlog.count == 0:
                    self._is_hurried = False
                    self._changed.wait()
                    continue
                left = self._first_at + self._settings.linger_s - time.monotonic()
                if left <= 0 or self._is_hurried or self._is_closing or self._backlog.is_full_batch():
                    self._begun += 1
                    self._is_hurried = False  # who asks while this attempt lasts gets another one
                    return self._backlog.next_batch()
                self._changed.wait(left)
            return []

    def _settle(self, settled: Settled) -> None:
        with self._changed:
            self._backlog.settle(settled.events)
            self._accepted += len(settled.events) - len(settled.rejected)
            self._rejected += len(settled.rejected)
            if self._holds_spooled and self._backlog.count == 0 and self._settings.spool is not None:
                spool.clear(self._settings.spool)
                self._holds_spooled = False
            self._changed.notify_all()
        if settled.rejected:
            self._tell(settled.rejected)

    def _tell(self, rejected: list[Rejected]) -> None:
        if self._settings.on_rejected is None:
            reasons = dict(Counter(r.reason for r in rejected))
            _log.warning("the service refused %d events: %s", len(rejected), reasons)
            return
        for one in rejected:
            try:
                self._settings.on_rejected(one)
            except Exception:  # noqa: BLE001 - the caller's code must not end the thread
                _log.exception("on_rejected failed")

    def _is_refused(self) -> bool:
        """Whether the last failure is one that waiting does not mend."""
        return isinstance(self._error, ProtocolError) or (
            isinstance(self._error, Problem) and not is_transient(self._error.status)
        )

    def _not_delivered(self) -> NotDelivered:
        left = self._backlog.events()
        cause = f"the last attempt: {self._error}" if self._error else "no attempt has ended yet"
        found = NotDelivered(f"{len(left)} events are not delivered; {cause}", left)
        found.__cause__ = self._error
        return found
