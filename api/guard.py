"""The outermost layer: request id, body limit, time limit, security headers, and no traceback to a caller.

Pure ASGI, so that it also covers static files and errors of the framework itself.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import SDK_PATHS, Problem, for_sdks, problem_of, respond
from api.front import replay
from api.registry_errors import answer as registry_answer
from api.registry_errors import is_registry

_log: Final = logging.getLogger("api")

_DOCS_CSP: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_API_CSP: Final = b"default-src 'none'; frame-ancestors 'none'"

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_API_HEADERS: Final = (*_ALWAYS, (b"content-security-policy", _API_CSP), (b"cache-control", b"no-store"))
_DOCS_HEADERS: Final = (*_ALWAYS, (b"content-security-policy", _DOCS_CSP), (b"cache-control", b"no-store"))
_STATIC_HEADERS: Final = (*_ALWAYS, (b"content-security-policy", _DOCS_CSP), (b"cache-control", b"no-cache"))


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
        has_begun = has_failed = False
        limit = asyncio.timeout(self._timeout_s)

        async def guarded_send(message: Message) -> None:
            nonlocal has_begun
            if not has_begun and message["type"] == "http.response.start":
                has_begun = True
                if not has_failed:
                    limit.reschedule(None)  # a slow reader is no slow answer
                _add_headers(message, scope, request_id)
            await send(message)

        try:
            async with limit:
                body = await _read_body(scope, receive, self._body_limit(scope["path"]))
                await self._app(scope, replay(body, receive), guarded_send)
                return
        except Exception as error:
            if has_begun:
                raise
            has_failed = True
            problem = self._problem(error, scope, request_id)
        make = registry_answer(problem) if is_registry(scope["path"]) else respond(problem, request_id)
        await make(scope, receive, guarded_send)

    def _problem(self, error: Exception, scope: Scope, request_id: str) -> Problem:
        if isinstance(error, TimeoutError):
            return Problem(504, f"No answer within {self._timeout_s:g} s. Ask for less, or try again later.")
        problem = problem_of(error, scope)
        if problem is None:
            _log.error("request %s failed: %s %s", request_id, scope["method"], type(error).__name__, exc_info=error)
            problem = Problem(500, "Internal error. The server's log has the cause under this instance id.")
        return for_sdks(problem) if scope["path"].startswith(SDK_PATHS) else problem


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    declared, is_chunked = b"", False
    for name, value in scope["headers"]:
        if name == b"content-length":
            declared = value
        elif name == b"transfer-encoding":
            is_chunked = True
    if not declared and not is_chunked:
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


def _add_headers(message: Message, scope: Scope, request_id: str) -> None:
    path = scope["path"]
    given: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    names = {name for name, _ in given}
    ours = _STATIC_HEADERS if path.startswith("/static/") else _DOCS_HEADERS if path == "/docs" else _API_HEADERS
    given += [header for header in ours if header[0] not in names]
    given.append((b"x-request-id", request_id.encode()))
    if scope.get("scheme") == "https":
        given.append(_HSTS)
    message["headers"] = given
