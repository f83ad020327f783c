"""The asynchronous client, for one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from attribution_client.batching import Batching
from attribution_client.calls import Call
from attribution_client.client import Client
from attribution_client.connection import Connection, reply_of
from attribution_client.endpoint import Page, following
from attribution_client.endpoints import Endpoints
from attribution_client.exchange import Outcome, Send, Step, Wait
from attribution_client.live import Following, LiveEvent
from attribution_client.parameters import Live, live
from attribution_client.sender import Delivered, told
from attribution_client.sending import Sending

T = TypeVar("T")
R = TypeVar("R")
G = TypeVar("G", bound=Page)


class AsyncClient(Endpoints, Sending):
    """The methods of ``Client``, awaited. ``track`` and ``conversion`` never wait: a full queue refuses.

    Args:
        base_url, key, settings: as of ``Client``.
        batching: of ``track`` and ``conversion``; its ``block_s`` is 0 here.
        transport: of httpx, for tests and proxies.
        background: transport of the thread that sends queued events, which is a synchronous one.
        sleep: waits so many seconds between attempts.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key: str | None = None,
        *,
        batching: Batching | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        background: httpx.BaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        **settings: Any,
    ) -> None:
        given = {k: v for k, v in (("base_url", base_url), ("key", key)) if v is not None}
        self.connection = Connection.of_environment(**given, **settings)
        self._http = httpx.AsyncClient(transport=transport, **self.connection.options())
        self._sleep = sleep
        self._background = Client(
            self.connection.base_url,
            self.connection.key,
            batching=replace(batching or Batching(), block_s=0.0),
            transport=background,
            **settings,
        )
        self._sender = self._background._sender  # noqa: SLF001 - one queue, seen from both

    def __repr__(self) -> str:
        return f"AsyncClient({self.connection.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with told(error):
            await self.aclose()

    async def aclose(self, timeout_s: float | None = None) -> None:
        """As ``Client.close``."""
        try:
            await asyncio.to_thread(self._background.close, timeout_s)
        finally:
            await self._http.aclose()

    async def flush(self, timeout_s: float | None = None) -> Delivered:
        """As ``Client.flush``; other tasks go on meanwhile."""
        return await asyncio.to_thread(self._sender.flush, timeout_s)

    async def run(self, call: Call[T]) -> T:
        """As ``Client.run``."""
        steps = self.connection.exchange(call)
        step = next(steps)
        while True:
            outcome = await self._do(call, step)
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # the generator's return type

    async def run_pages(self, call: Call[G], rows: Callable[[G], tuple[R, ...]]) -> AsyncIterator[R]:
        """As ``Client.run_pages``."""
        upcoming: Call[G] | None = call
        while upcoming is not None:
            page = await self.run(upcoming)
            for row in rows(page):
                yield row
            upcoming = following(upcoming, page)

    async def stream_conversions(self, *, last_event_id: str = "", **asked: Unpack[Live]) -> AsyncIterator[LiveEvent]:
        """As ``Client.stream_conversions``."""
        follower = Following(self.connection, last_event_id, live(**asked))
        while True:
            outcome: Outcome = None
            try:
                async with self._http.stream(**follower.request()) as response:
                    if response.status_code == 200:
                        follower.check(response.headers)
                        async for chunk in response.aiter_bytes():
                            for event in follower.feed(chunk):
                                yield event
                    else:
                        await response.aread()
                        outcome = reply_of(response)
            except httpx.RequestError as error:
                outcome = error
            await self._sleep(follower.ended(outcome))

    async def _do(self, call: Call[Any], step: Step) -> Outcome:
        match step:
            case Wait(seconds):
                await self._sleep(seconds)
                return None
            case Send(headers):
                try:
                    return reply_of(await self._http.request(**self.connection.request(call, headers)))
                except httpx.RequestError as error:
                    return error
