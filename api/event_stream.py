"""An answer without an end: what an iterator gives is sent at once, until it ends or the client is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

#: nginx holds nothing back, and nobody keeps a copy.
_HEADERS: Final = {"X-Accel-Buffering": "no", "Cache-Control": "no-store, no-transform"}


class EventStream(Response):
    """Server-sent events. A client that takes nothing for ``send_timeout_s`` is disconnected.

    ``on_close`` is called at the end, whatever it is.
    """

    media_type = "text/event-stream"
    charset = "utf-8"

    def __init__(
        self,
        events: AsyncGenerator[bytes],
        *,
        send_timeout_s: float,
        on_close: Callable[[], None],
        status_code: int = 200,
    ) -> None:
        super().__init__(status_code=status_code, headers=_HEADERS)
        del self.headers["content-length"]
        self._events, self._send_timeout_s, self._on_close = events, send_timeout_s, on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's
        """Send it."""
        try:
            await self._serve(receive, send)
        finally:
            self._on_close()

    async def _serve(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                pump.result()
        except (OSError, TimeoutError):  # the client is gone, or reads no more
            return
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.gather(pump, gone, return_exceptions=True)
            await self._events.aclose()

    async def _pump(self, send: Send) -> None:
        async for part in self._events:
            async with asyncio.timeout(self._send_timeout_s):
                await send(_body(part, more=True))
        async with asyncio.timeout(self._send_timeout_s):
            await send(_body(b"", more=False))


def _body(part: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": more}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
