"""The ClickHouse HTTP interface over chDB: ``python -m embedded.facade --path DIR --port N``.

Clients use it as they use a server: clickhouse-connect, curl, BI tools. It promises that

* a request body is complete before the engine sees any of it: a client that goes away inserts nothing;
* a result is complete before the first byte is sent: an error is always an HTTP status with ClickHouse's code and text;
* ``X-ClickHouse-Summary`` carries the rows that were really written and read;
* GET, and ``readonly=1``, change nothing: the engine itself refuses.

Not served: users and roles beyond one user, progress headers while a query runs, cancelling by closing the
connection, ClickHouse's own block compression (``compress=1``; HTTP codings are), INSERT from ``input()``.

``/metrics`` shows its counts in Prometheus' text format, to whoever may query.

If ``CLICKHOUSE_PASSWORD`` is set, only ``CLICKHOUSE_USER`` (default ``default``) with it gets in.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import hmac
import logging
import os
import signal
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from embedded import interface, sql
from embedded.body import Body, BodyError, Decoder, encode
from embedded.engine import Call, Engine, EngineError
from telemetry import logs
from telemetry.metrics import CONTENT_TYPE, Metrics
from telemetry.program_metrics import FACADE, FacadeMetric
from telemetry.settings import TelemetrySettings, TelemetrySettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger: Final = logging.getLogger(__name__)

_PIECE: Final = 256 * 1024
_AUTHENTICATION_FAILED: Final = 516


class DisconnectedError(ConnectionError):
    """The client went away before its request was whole."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who gets in; without a password everybody who names the user, or nobody."""

    user: str = "default"
    password: str = ""

    def admits(self, user: str, password: str) -> bool:
        """True for the right pair."""
        right_password = not self.password or hmac.compare_digest(password.encode(), self.password.encode())
        return hmac.compare_digest(user.encode(), self.user.encode()) and right_password


class Facade(ThreadingHTTPServer):
    """One thread per connection: a chDB call blocks its thread and releases the interpreter."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, engine: Engine, access: Access, host: str, port: int) -> None:
        self.engine = engine
        self.access = access
        self.metrics: Metrics[FacadeMetric] = Metrics(FACADE, "facade")
        self._busy = 0
        self._idle = threading.Condition()
        super().__init__((host, port), _Handler)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Marks a request as under way, for ``drain``."""
        with self._idle:
            self._busy += 1
        self.metrics.add("attribution_facade_requests_in_flight")
        try:
            yield
        finally:
            self.metrics.add("attribution_facade_requests_in_flight", by=-1)
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait for the requests under way; False if some are left."""
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, timeout_s)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else 40 ms per small answer
    wbufsize = _PIECE  # headers and a small answer leave in one segment
    server: Facade
    query: dict[str, str]
    query_id = ""
    kind = "other"
    received_at = 0.0

    def do_GET(self) -> None:
        self._serve(may_write=False)

    def do_HEAD(self) -> None:
        self._serve(may_write=False)

    def do_POST(self) -> None:
        self._serve(may_write=True)

    def _serve(self, *, may_write: bool) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.query_id = self.query.get("query_id") or str(uuid.uuid4())
        self.kind, self.received_at = "other", time.perf_counter()
        with self.server.working(), Body() as body:
            try:
                self._receive(body)
                self.received_at = time.perf_counter()
                if url.path in ("/ping", "/replicas_status") or (url.path == "/" and not (self.query or body.size)):
                    self.kind = "ping"
                    self._send(200, b"Ok.\n", {"Content-Type": "text/plain; charset=UTF-8"})
                elif url.path == "/metrics":
                    self._check_access()
                    self._send(200, self.server.metrics.text().encode(), {"Content-Type": CONTENT_TYPE})
                elif url.path != "/":
                    self._send(404, f"There is no handle {url.path}\n".encode(), {"Content-Type": "text/plain"})
                else:
                    self._check_access()
                    self._answer(interface.read_call(self.query, self.headers.get, body, may_write=may_write))
            except EngineError as error:
                self._fail(error)
            except (BodyError, sql.StatementError) as error:
                code = error.code if isinstance(error, sql.StatementError) else sql.BAD_ARGUMENTS
                self._fail(self.server.engine.error(code, str(error)))

    # -- the request ------------------------------------------------------------------------------

    def _receive(self, body: Body) -> None:
        """Read the whole body; a body that cannot be decoded is still read, so that the connection stays usable."""
        failure: BodyError | None = None
        decoder: Decoder | None = None
        try:
            decoder = Decoder(self.headers.get("Content-Encoding", "").lower())
        except BodyError as error:
            failure = error
        for piece in self._pieces():
            if decoder is not None and failure is None:
                try:
                    for data in decoder.feed(piece):
                        body.write(data)
                except BodyError as error:
                    failure = error
        if failure is not None:
            raise failure
        if decoder is not None:
            decoder.finish()

    def _pieces(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := self._chunk_size():
                yield from self._exactly(size)
                self.rfile.readline(8)
            while self.rfile.readline(65_537) not in (b"\r\n", b"\n", b""):
                pass  # trailers
            return
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            self.close_connection = True
            raise BodyError(f"Content-Length {length!r} is not a number")
        yield from self._exactly(int(length))

    def _chunk_size(self) -> int:
        line = self.rfile.readline(1024)
        if not line:
            raise DisconnectedError
        try:
            return int(line.split(b";")[0], 16)
        except ValueError:
            self.close_connection = True
            raise BodyError("a chunk without a size") from None

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise DisconnectedError
            size -= len(piece)
            yield piece

    def _check_access(self) -> None:
        user = self.headers.get("X-ClickHouse-User") or self.query.get("user", "")
        password = self.headers.get("X-ClickHouse-Key") or self.query.get("password", "")
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                user, _, password = base64.b64decode(credentials).decode().partition(":")
        user = user or "default"
        if not self.server.access.admits(user, password):
            text = f"{user}: Authentication failed: password is incorrect, or there is no user with such name"
            raise self.server.engine.error(_AUTHENTICATION_FAILED, text)

    # -- the answer -------------------------------------------------------------------------------

    def _answer(self, call: Call) -> None:
        self.kind = "read" if call.statement.returns_rows else "write"
        answer = self.server.engine.run(call)
        self.server.metrics.add("attribution_facade_read_rows_total", by=answer.read_rows)
        self.server.metrics.add("attribution_facade_written_rows_total", by=answer.written_rows)
        headers = {"X-ClickHouse-Summary": interface.summary(answer)}
        if call.statement.returns_rows or len(answer.data):
            form = call.statement.output_format or call.format
            headers["X-ClickHouse-Format"] = form
            headers["Content-Type"] = interface.content_type(form)
        data: bytes | memoryview = answer.data
        if self.query.get("enable_http_compression") == "1" and len(data):
            data, coding = encode(data, self.headers.get("Accept-Encoding", ""))
            if coding:
                headers["Content-Encoding"] = coding
        self._send(200, data, headers)

    def _fail(self, error: EngineError) -> None:
        status = interface.status_of(str(error))
        headers = {"X-ClickHouse-Exception-Code": str(error.code), "Content-Type": "text/plain; charset=UTF-8"}
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        self._send(status, f"{error}\n".encode(), headers)

    def _send(self, status: int, data: bytes | memoryview, headers: dict[str, str]) -> None:
        engine, metrics = self.server.engine, self.server.metrics
        metrics.add("attribution_facade_requests_total", self.kind, str(status))
        metrics.add("attribution_facade_sent_bytes_total", by=len(data))
        metrics.observe("attribution_facade_request_seconds", time.perf_counter() - self.received_at, self.kind)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-ClickHouse-Server-Display-Name", engine.host)
        self.send_header("X-ClickHouse-Timezone", engine.timezone)
        self.send_header("X-ClickHouse-Query-Id", _one_line(self.query_id))
        for name, value in headers.items():
            self.send_header(name, _one_line(value))
        if self.close_connection:
            self.send_header("Connection", "close")
        if self.command == "HEAD":
            data = b""
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def version_string(self) -> str:
        """The Server header."""
        return "ClickHouse HTTP facade over chDB"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - the base class calls it so
        """Failures only, and no URL: it may hold a password."""
        if isinstance(code, int) and code >= 500:
            logger.error("%s %d query_id=%r", self.command, code, self.query_id)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """What the base class has to say: requests that are no HTTP."""
        logger.info(format, *args)


def _one_line(value: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in value)


def serve(path: Path, host: str, port: int, *, max_threads: int = 2, max_memory_bytes: int = 0) -> None:
    """Serve until SIGTERM or SIGINT; requests under way get ten seconds to end."""
    access = Access(os.environ.get("CLICKHOUSE_USER") or "default", os.environ.get("CLICKHOUSE_PASSWORD", ""))
    engine = Engine(path, max_threads=max_threads, max_memory_bytes=max_memory_bytes)
    with Facade(engine, access, host, port) as server:

        def end(*_: object) -> None:
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        logs.announce(f"chDB {engine.version} in {path}, http://{host}:{server.server_port}")
        server.serve_forever(poll_interval=0.1)
        is_idle = server.drain(timeout_s=10)
    if not is_idle:
        os._exit(1)  # closing the engine would wait for the statements; its parts on disk are whole anyway
    engine.close()


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m embedded.facade", description="ClickHouse over HTTP, by chDB")
    parser.add_argument("--path", type=Path, required=True, help="data directory; one process at a time")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--max-threads", type=int, default=2, help="threads of one query")
    parser.add_argument("--max-memory", type=int, default=0, help="bytes of one query; 0: half of the machine")
    chosen = parser.parse_args(arguments)
    try:
        logs.configure("facade", TelemetrySettings.of_environment())
    except TelemetrySettingsError as error:
        sys.exit(f"error: {error}")
    try:
        serve(
            chosen.path,
            chosen.host,
            chosen.port,
            max_threads=chosen.max_threads,
            max_memory_bytes=chosen.max_memory,
        )
    except (OSError, RuntimeError) as error:
        logs.announce(f"error: cannot serve {chosen.path} on {chosen.host}:{chosen.port}: {error}", level=logging.ERROR)
        sys.exit(1)


if __name__ == "__main__":
    main()
