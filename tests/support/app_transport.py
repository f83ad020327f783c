"""An ASGI application behind a synchronous httpx client: one event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx


class AppTransport(httpx.BaseTransport):
    """Sends requests into the application; whole bodies only."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop).result(60)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        content = b"".join([part async for part in response.stream])  # as it was sent: packed, if it was
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    def stop(self) -> None:
        """End the thread; clients may close before."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
