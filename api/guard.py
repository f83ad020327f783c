"""The outermost layer: request id, body limit, time limit, security headers, and no traceback to a caller.

Pure ASGI, so that it also covers static files and errors of the framework itself.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, respond

_log: Final = logging.getLogger("api")

_DOCS_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_API_CSP: Final = "default-src 'none'; frame-ancestors 'none'"

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Wraps an application.

    Args:
        app: what to protect.
        body_limit: bytes that a request to this path may carry.
        timeout_s: seconds until an answer must have begun.
    """

    def __init__(self, app: ASGIApp, *, body_limit: Callable[[str], int], timeout_s: float) -> None:
        self._app = app
        self._body_limit = body_limit
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        has_begun = False

        async def guarded_send(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                _add_headers(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                body = await _read_body(scope, receive, self._body_limit(scope["path"]))
                await self._app(scope, _replay(body, receive), _lifting(guarded_send, limit))
        except Problem as problem:
            await respond(problem, request_id)(scope, receive, guarded_send)
        except TimeoutError:
            if has_begun:
                raise
            late = Problem(504, f"No answer within {self._timeout_s:g} s. Ask for less, or try again later.")
            await respond(late, request_id)(scope, receive, guarded_send)
        except Exception as error:
            if has_begun:
                raise
            _log.exception("request %s failed: %s %s", request_id, scope["method"], type(error).__name__)
            internal = Problem(500, "Internal error. The server's log has the cause under this instance id.")
            await respond(internal, request_id)(scope, receive, guarded_send)


def _lifting(send: Send, limit: asyncio.Timeout) -> Send:
    """Ends the time limit when the answer begins: a slow reader is no slow answer."""

    async def lifting(message: Message) -> None:
        if message["type"] == "http.response.start":
            limit.reschedule(None)
        await send(message)

    return lifting


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    if not declared and "transfer-encoding" not in headers:
        return b""
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "The request ended before its body was complete.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(limit: int) -> Problem:
    # the rest of the body is not read, so the connection cannot be used again
    return Problem(
        413, f"The body is larger than {limit} bytes. Send less in one request.", headers={"Connection": "close"}
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _add_headers(headers: MutableHeaders, path: str, request_id: str) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers["Content-Security-Policy"] = _DOCS_CSP if path == "/docs" or path.startswith("/static/") else _API_CSP
    headers.setdefault("Cache-Control", "no-cache" if path.startswith("/static/") else "no-store")
    headers["X-Request-ID"] = request_id
