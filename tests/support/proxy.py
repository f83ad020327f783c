"""An HTTP proxy between a worker and ClickHouse that breaks chosen inserts.

It reads a whole request, then does what its plan says for an insert (other statements pass): pass on; refuse (close
without an answer); cut (pass on half of the body and close both ways); delay; or lose the answer, after the engine has
done the insert. ``down`` closes the port itself. Bodies and statuses pass unchanged.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import unquote_plus, urlsplit

Action: TypeAlias = Literal["pass", "refuse", "cut", "delay", "lose"]

ACTIONS: Final[tuple[Action, ...]] = ("refuse", "cut", "delay", "lose")
_DELAY_S: Final = 1.5
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "te", "trailer"})


class Proxy:
    """A context manager. ``plan(table)`` is asked for every insert; ``done`` counts what was inflicted."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.plan: Callable[[str], Action] = lambda _: "pass"
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """What workers connect to."""
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen, on the same port as before."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections; those that are open die with their next request."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            for client in list(server.open):
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def decide(self, table: str) -> Action:
        """What to do with an insert into a table; counted."""
        with self._lock:
            action = self.plan(table) if table else "pass"
            self.done[action] += 1
        return action

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *args: Any) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        action = self.proxy.decide(inserted_table(self.path, body))
        if action == "refuse":
            self.close_connection = True
        elif action == "cut":
            self._cut(body)
        else:
            if action == "delay":
                time.sleep(_DELAY_S)
            self._forward(body, answer=action != "lose")

    do_GET = do_POST  # noqa: N815  # the handler's protocol

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _headers(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}

    def _forward(self, body: bytes, *, answer: bool) -> None:
        upstream = http.client.HTTPConnection(*self.proxy.target, timeout=60)
        try:
            upstream.request(self.command, self.path, body, self._headers())
            found = upstream.getresponse()
            content = found.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            upstream.close()
        if not answer:
            self.close_connection = True
            return
        self.send_response(found.status)
        for name, value in found.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self, body: bytes) -> None:
        """Announce everything, send half, go away."""
        with contextlib.suppress(OSError), socket.create_connection(self.proxy.target, timeout=10) as upstream:
            lines = [f"{self.command} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in self._headers().items())]
            head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
            upstream.sendall(head.encode() + body[: len(body) // 2])
        self.close_connection = True


def inserted_table(path: str, body: bytes) -> str:
    """The table that a request inserts into; empty for any other statement."""
    text = unquote_plus(path) + " " + body[:200].decode("latin-1")
    at = text.upper().find("INSERT INTO ")
    return text[at + 12 :].split(None, 1)[0].split("(")[0].strip("`") if at >= 0 else ""
