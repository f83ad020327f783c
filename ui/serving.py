"""The UI as an ASGI application: Streamlit, the sign-in page, and the headers that keep a browser with this host.

Streamlit's page is changed in two places on its way out. It is told where its server is, since from an address such as
``/ui/Explain`` it would look in ``/ui/Explain/_stcore`` first; and the policy names the digests of its scripts, so that
a browser runs no other and asks no other host. A visit without the cookie of the sign-in page is sent there first.
"""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from ui import signin
from ui.pages import PAGES
from ui.session import COOKIE

_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_OURS: Final = ("/_stcore", "/static", "/media", "/component", "/favicon.png")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HTML_LIMIT: Final = 1_000_000
#: A page is changed on its way, so it comes whole, unpacked, and is not taken from a browser's cache.
_NOT_FOR_PAGES: Final = frozenset({b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"})
_NOT_OF_PAGES: Final = frozenset({b"content-length", b"etag", b"last-modified"})


class Ui:
    """The application. Serve it at the root, or below a path with that path as ``root_path`` of the scope.

    Args:
        hosts: names that the ``Host`` header may have; empty: any.
    """

    def __init__(self, hosts: tuple[str, ...] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        script = Path(__file__).with_name("entry") / "main.py"
        self._streamlit = st.App(script)
        self._door = Router([Route("/signin", signin.form), Route("/signin", signin.submit, methods=["POST"])])

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Runs Streamlit's machinery; enter it before the first request."""
        return self._streamlit.lifespan()(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server that runs this application alone."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        root, headers = str(scope.get("root_path", "")), Headers(scope=scope)
        path = str(scope["path"]).removeprefix(root) or "/"
        if self._hosts and _name(headers.get("host", "")) not in self._hosts:
            if scope["type"] == "http":
                await PlainTextResponse("This host is not served here.", 400)(scope, receive, send)
            return  # a websocket that is not accepted is refused with 403
        if path == "/signin" and scope["type"] == "http":
            await self._door(scope, receive, _with_headers(send, _policy(b"")))
            return
        is_page = scope["type"] == "http" and scope["method"] == "GET" and not path.startswith(_OURS)
        if is_page and COOKIE not in SimpleCookie(headers.get("cookie", "")):
            here = path.lstrip("/") + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            away = RedirectResponse(f"{root}/signin?{urlencode({'next': here})}", 303)
            await away(scope, receive, _with_headers(send, _policy(b"")))
            return
        if is_page and path == f"/{PAGES[0].path}":  # Streamlit's first page has no name of its own
            query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
            await RedirectResponse(f"{root}/{query}", 307)(scope, receive, _with_headers(send, _policy(b"")))
            return
        if is_page:
            scope = {**scope, "headers": [h for h in scope["headers"] if h[0] not in _NOT_FOR_PAGES]}
            send = _Page(send, root).send
        await self._streamlit(scope, receive, send if is_page else _with_headers(send, _policy(b"")))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class _Page:
    """Takes Streamlit's document, puts the address of the server into it, and sends it with a policy of its scripts."""

    def __init__(self, send: Send, root: str) -> None:
        self._send, self._root = send, root
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        """One message of the response."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body") and len(self._body) < _HTML_LIMIT:
            return
        body = self._changed(self._body)
        headers = [h for h in self._start.get("headers", ()) if h[0] not in _NOT_OF_PAGES]
        headers += [*_HEADERS, _policy(body), (b"content-length", str(len(body)).encode())]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _changed(self, body: bytes) -> bytes:
        where = f'<script>window.__streamlit={{BACKEND_BASE_URL:location.origin+"{self._root}/"}}</script>'
        found = body.replace(b"<head>", b"<head>" + where.encode(), 1)
        return found.replace(b"<title>Streamlit</title>", b"<title>Attribution</title>", 1)


def _policy(body: bytes) -> tuple[bytes, bytes]:
    digests = [b64encode(sha256(text).digest()) for text in _SCRIPT.findall(body)]
    scripts = b" ".join([b"'self'", *(b"'sha256-" + digest + b"'" for digest in digests)])
    return (
        b"content-security-policy",
        b"default-src 'self'; script-src " + scripts + b"; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    )


def _with_headers(send: Send, policy: tuple[bytes, bytes]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name for name, _ in given}
            message = {**message, "headers": given + [h for h in (*_HEADERS, policy) if h[0] not in names]}
        await send(message)

    return sending


def _name(host: str) -> str:
    return host.lower().removeprefix("[").partition("]")[0] if host.startswith("[") else host.lower().partition(":")[0]
