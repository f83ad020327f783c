"""The synchronous client. Threads may share one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from attribution_client.asks import send_lines
from attribution_client.batching import Batching
from attribution_client.calls import Call
from attribution_client.connection import Connection, reply_of
from attribution_client.endpoint import Page, following
from attribution_client.endpoints import Endpoints
from attribution_client.exchange import Outcome, Send, Step, Wait
from attribution_client.live import Following, LiveEvent
from attribution_client.parameters import Live, live
from attribution_client.sender import Delivered, Sender, told
from attribution_client.sending import Sending

T = TypeVar("T")
R = TypeVar("R")
G = TypeVar("G", bound=Page)


class Client(Endpoints, Sending):
    """Answers, or raises an ``AttributionError``. Closing it delivers what ``track`` and ``conversion`` hold.

    Args:
        base_url: of the service; left out: ``ATTRIBUTION_API_URL``, else the local stack.
        key: an API key or token; left out: ``ATTRIBUTION_API_KEY``.
        batching: of ``track`` and ``conversion``.
        transport: of httpx, for tests and proxies.
        sleep: waits so many seconds between attempts.
        settings: the other attributes of ``Connection``.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key: str | None = None,
        *,
        batching: Batching | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        **settings: Any,
    ) -> None:
        given = {k: v for k, v in (("base_url", base_url), ("key", key)) if v is not None}
        self.connection = Connection.of_environment(**given, **settings)
        self._http = httpx.Client(transport=transport, **self.connection.options())
        self._sleep = sleep
        self._sender = Sender(
            lambda kind, body: self.run(send_lines(kind, body)), batching or Batching(), self.connection.uniform
        )

    def __repr__(self) -> str:
        return f"Client({self.connection.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with told(error):
            self.close()

    @property
    def session(self) -> str:
        """Text of the session's cookie after ``login``; a secret. Empty when there is none."""
        found = [c.value or "" for c in self._http.cookies.jar if c.name == self.connection.cookie]
        return found[-1] if found else ""

    def close(self, timeout_s: float | None = None) -> None:
        """Deliver what is queued, then end.

        Args:
            timeout_s: at most; left out: as ``batching`` says.

        Raises:
            NotDelivered: events that the service did not confirm in time and no spool file took.
        """
        try:
            self._sender.close(timeout_s)
        finally:
            self._http.close()

    def flush(self, timeout_s: float | None = None) -> Delivered:
        """Wait until the service has confirmed or refused everything that was queued before.

        Raises:
            NotDelivered: not in time (left out: ``close_s``), or it will not; the events stay queued.
        """
        return self._sender.flush(timeout_s)

    def run(self, call: Call[T]) -> T:
        """Carry out a call.

        Raises:
            AttributionError: see ``problems``.
        """
        steps = self.connection.exchange(call)
        step = next(steps)
        while True:
            outcome = self._do(call, step)
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # the generator's return type

    def run_pages(self, call: Call[G], rows: Callable[[G], tuple[R, ...]]) -> Iterator[R]:
        """Rows of this page and of all that follow."""
        upcoming: Call[G] | None = call
        while upcoming is not None:
            page = self.run(upcoming)
            yield from rows(page)
            upcoming = following(upcoming, page)

    def stream_conversions(self, *, last_event_id: str = "", **asked: Unpack[Live]) -> Iterator[LiveEvent]:
        """New conversions as they are attributed, for ever; a broken connection is taken up where it ended.

        Args:
            last_event_id: ``id`` of the last event seen; left out: from now on.
            asked: a model and filters.

        Raises:
            Problem: the service says no.
            ServiceUnreachable: it stays away.
        """
        follower = Following(self.connection, last_event_id, live(**asked))
        while True:
            outcome: Outcome = None
            try:
                with self._http.stream(**follower.request()) as response:
                    if response.status_code == 200:
                        follower.check(response.headers)
                        for chunk in response.iter_bytes():
                            yield from follower.feed(chunk)
                    else:
                        response.read()
                        outcome = reply_of(response)
            except httpx.RequestError as error:
                outcome = error
            self._sleep(follower.ended(outcome))

    def _do(self, call: Call[Any], step: Step) -> Outcome:
        match step:
            case Wait(seconds):
                self._sleep(seconds)
                return None
            case Send(headers):
                try:
                    return reply_of(self._http.request(**self.connection.request(call, headers)))
                except httpx.RequestError as error:
                    return error
