"""A client of server-sent events that talks ASGI to an application: what arrives, when, and how it ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlencode

PATH = "/api/v1/stream/conversions"


@dataclass(frozen=True)
class Event:
    """``name`` is ``""`` for a heartbeat."""

    name: str
    id: str
    data: Any


def parse(block: str) -> Event:
    """One block of lines."""
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        key, _, value = line.partition(":")
        if key:
            fields[key] = value.removeprefix(" ")
    return Event(fields.get("event", ""), fields.get("id", ""), json.loads(fields.get("data", "null")))


class EventClient:
    """One request. ``last_id`` follows the protocol: the id of the last block that had one."""

    def __init__(self, app: Any, *, key: str = "", last_id: str = "", reads: bool = True, **query: str) -> None:
        headers = [(b"host", b"test")]
        if key:
            headers.append((b"authorization", f"Bearer {key}".encode()))
        if last_id:
            headers.append((b"last-event-id", last_id.encode()))
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": quote(PATH).encode(),
            "query_string": urlencode(query).encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("test", 80),
            "state": {},
        }
        self._app, self._reads, self.last_id = app, asyncio.Event(), last_id
        if reads:
            self._reads.set()
        self._gone, self._blocks = asyncio.Event(), asyncio.Queue[str | None]()
        self.status, self.headers, self._text = 0, dict[str, str](), ""
        self._began = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self._began.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        self._reads.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._task), 5)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def read_on(self) -> None:
        """Read from now on."""
        self._reads.set()

    async def next(self, timeout_s: float = 20.0) -> Event:
        """The next block, heartbeats included.

        Raises:
            EOFError: the stream has ended.
        """
        block = await asyncio.wait_for(self._blocks.get(), timeout_s)
        if block is None:
            raise EOFError(self._text)
        event = parse(block)
        self.last_id = event.id or self.last_id
        return event

    async def named(self, name: str = "conversion") -> Event:
        """The next event of a name; the others are passed over."""
        while (event := await self.next()).name != name:
            pass
        return event

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._began.set()
            self._blocks.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            self._began.set()
            return
        await self._reads.wait()
        if self._gone.is_set():
            raise OSError("the client is gone")
        self._text += message["body"].decode()
        *blocks, self._text = self._text.split("\n\n")
        for block in blocks:
            if not block.startswith("retry"):
                self._blocks.put_nowait(block)
