"""The ClickHouse HTTP interface over chDB: ``python -m embedded.facade --path DIR --port N``.

Clients use it as they use a server: clickhouse-connect, curl, BI tools. It promises that

* a request body is complete before the engine sees any of it: a client that goes away inserts nothing;
* a result is complete before the first byte is sent: an error is always an HTTP status with ClickHouse's code and text;
* ``X-ClickHouse-Summary`` carries the rows that were really written and read;
* GET, and ``readonly=1``, change nothing: the engine itself refuses.

Not served: users and roles beyond one user, progress headers while a query runs, cancelling by closing the
connection, ClickHouse's own block compression (``compress=1``; HTTP codings are), INSERT from ``input()``.

If ``CLICKHOUSE_PASSWORD`` is set, only ``CLICKHOUSE_USER`` (default ``default``) with it gets in.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import hmac
import json
import os
import re
import signal
import sys
import threading
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from embedded import sql
from embedded.body import BadBody, Body, Decoder, encode
from embedded.engine import READ_ONLY_BUT_SETTINGS, Answer, Call, Engine, EngineError
from embedded.forms import external_tables, is_about_table, read_form

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE: Final = 256 * 1024
_HEAD: Final = 1024 * 1024
_AUTHENTICATION_FAILED: Final = 516

#: Words of the HTTP interface in the URL; everything else there is a setting, a parameter or an external table.
_RESERVED: Final = frozenset(
    "query user password database default_format query_id session_id session_timeout session_check close_session "
    "quota_key role stacktrace compress decompress buffer_size wait_end_of_query client_protocol_version".split()
)
#: Settings that only speak about the transport and have no meaning here.
_TRANSPORT: Final = frozenset(
    "send_progress_in_http_headers http_headers_progress_interval_ms enable_http_compression "
    "cancel_http_readonly_queries_on_client_close http_wait_end_of_query http_zlib_compression_level".split()
)
_CONTENT_TYPES: Final = (
    ("JSONEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSONCompactEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSON", "application/json; charset=UTF-8"),
    ("TabSeparated", "text/tab-separated-values; charset=UTF-8"),
    ("TSV", "text/tab-separated-values; charset=UTF-8"),
    ("CSV", "text/csv; charset=UTF-8"),
    ("XML", "application/xml; charset=UTF-8"),
    ("Arrow", "application/vnd.apache.arrow"),
    ("Parquet", "application/vnd.apache.parquet"),
    ("Native", "application/octet-stream"),
    ("RowBinary", "application/octet-stream"),
)
#: HTTP status by ClickHouse error name, as a server answers; anything else is 500.
_STATUS: Final = {
    400: "BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_QUOTED_STRING "
    "CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING "
    "CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN "
    "ILLEGAL_COLUMN UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST "
    "UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    401: "REQUIRED_PASSWORD",
    403: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE ACCESS_DENIED",
    404: "UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE "
    "UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT "
    "UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE",
    408: "TIMEOUT_EXCEEDED",
    413: "QUERY_IS_TOO_LARGE",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
}
_ERROR_NAME: Final = re.compile(r"\(([A-Z][A-Z0-9_]*)\)(?: \(version [^)]*\))?\s*$")


class Disconnected(ConnectionError):
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
        self._busy = 0
        self._idle = threading.Condition()
        super().__init__((host, port), _Handler)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Marks a request as under way, for ``drain``."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
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
    server: Facade
    query: ClassVar[dict[str, str]] = {}

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
        with self.server.working(), Body() as body:
            try:
                self._receive(body)
                if url.path in ("/ping", "/replicas_status") or (url.path == "/" and not (self.query or body.size)):
                    self._send(200, b"Ok.\n", {"Content-Type": "text/plain; charset=UTF-8"})
                elif url.path != "/":
                    self._send(404, f"There is no handle {url.path}\n".encode(), {"Content-Type": "text/plain"})
                else:
                    self._check_access()
                    self._answer(self._call(body, may_write=may_write))
            except EngineError as error:
                self._fail(error)
            except (BadBody, sql.BadStatement) as error:
                code = error.code if isinstance(error, sql.BadStatement) else sql.BAD_ARGUMENTS
                self._fail(self.server.engine.error(code, str(error)))

    # -- the request ------------------------------------------------------------------------------

    def _receive(self, body: Body) -> None:
        """Read the whole body; a body that cannot be decoded is still read, so that the connection stays usable."""
        failure: BadBody | None = None
        decoder: Decoder | None = None
        try:
            decoder = Decoder(self.headers.get("Content-Encoding", "").lower())
        except BadBody as error:
            failure = error
        for piece in self._pieces():
            if decoder is not None and failure is None:
                try:
                    for data in decoder.feed(piece):
                        body.write(data)
                except BadBody as error:
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
            raise BadBody(f"Content-Length {length!r} is not a number")
        yield from self._exactly(int(length))

    def _chunk_size(self) -> int:
        line = self.rfile.readline(1024)
        if not line:
            raise Disconnected
        try:
            return int(line.split(b";")[0], 16)
        except ValueError:
            self.close_connection = True
            raise BadBody("a chunk without a size") from None

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise Disconnected
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

    def _call(self, body: Body, *, may_write: bool) -> Call:
        form = read_form(self.headers.get("Content-Type", ""), body)
        words = {**self.query, **(form.values if form else {})}
        in_url = words.get("query", "").encode()
        if in_url and body.size and form is None:
            in_url += b"\n"
        head = in_url if form else in_url + body.read(_HEAD)
        statement = sql.read(head)
        if not statement.data_format and form is None and body.size > _HEAD:
            statement = sql.read(in_url + body.read())
        inline = head[statement.data_at : len(in_url)] if statement.data_at < len(in_url) else b""
        data = [inline] if inline else []
        if words.get("compress", "0") not in ("", "0") or words.get("decompress", "0") not in ("", "0"):
            text = "compress and decompress are not supported: use Accept-Encoding and Content-Encoding"
            raise sql.BadStatement(sql.NOT_IMPLEMENTED, text)
        settings = {
            key: value
            for key, value in words.items()
            if key not in _RESERVED | _TRANSPORT and not key.startswith("param_") and not is_about_table(key, form)
        }
        readonly = settings.pop("readonly", "0")
        if readonly not in ("0", "1", "2"):
            raise sql.BadStatement(sql.BAD_ARGUMENTS, f"readonly is {readonly!r}: use 0, 1 or 2")
        return Call(
            statement=statement,
            data=chain(data, body.pieces(max(0, statement.data_at - len(in_url)))),
            settings=settings,
            parameters={key.removeprefix("param_"): value for key, value in words.items() if key.startswith("param_")},
            database=words.get("database") or self.headers.get("X-ClickHouse-Database", ""),
            format=words.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated",
            readonly=int(readonly) if may_write or readonly == "1" else READ_ONLY_BUT_SETTINGS,
            session_id=words.get("session_id", ""),
            session_timeout_s=_seconds(words.get("session_timeout", "60")),
            session_check=words.get("session_check", "0") == "1",
            external=external_tables(form, self.query) if form else (),
        )

    # -- the answer -------------------------------------------------------------------------------

    def _answer(self, call: Call) -> None:
        answer = self.server.engine.run(call)
        headers = {"X-ClickHouse-Summary": _summary(answer)}
        if call.statement.returns_rows or len(answer.data):
            form = call.statement.output_format or call.format
            headers["X-ClickHouse-Format"] = form
            headers["Content-Type"] = next((t for name, t in _CONTENT_TYPES if form.startswith(name)), "text/plain")
        data: bytes | memoryview = answer.data
        if self.query.get("enable_http_compression") == "1" and len(data):
            data, coding = encode(data, self.headers.get("Accept-Encoding", ""))
            if coding:
                headers["Content-Encoding"] = coding
        self._send(200, data, headers)

    def _fail(self, error: EngineError) -> None:
        name = _ERROR_NAME.search(str(error))
        status = next((s for s, names in _STATUS.items() if name and name[1] in names.split()), 500)
        headers = {"X-ClickHouse-Exception-Code": str(error.code), "Content-Type": "text/plain; charset=UTF-8"}
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        self._send(status, f"{error}\n".encode(), headers)

    def _send(self, status: int, data: bytes | memoryview, headers: dict[str, str]) -> None:
        engine = self.server.engine
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
        if len(data) <= _PIECE:  # one segment: headers and body in one call
            self._headers_buffer += [b"\r\n", bytes(data)]
            self.flush_headers()
        else:
            self.end_headers()
            self.wfile.write(data)

    def version_string(self) -> str:
        """The Server header."""
        return "ClickHouse HTTP facade over chDB"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Failures only, and no URL: it may hold a password."""
        if isinstance(code, int) and code >= 500:
            sys.stderr.write(f"{self.log_date_time_string()} {self.command} {code} query_id={self.query_id!r}\n")


def _summary(answer: Answer) -> str:
    return json.dumps(
        {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(answer.result_rows),
            "result_bytes": str(len(answer.data)),
            "elapsed_ns": str(answer.elapsed_ns),
        },
        separators=(",", ":"),
    )


def _seconds(text: str) -> float:
    if not text.isdecimal():
        raise sql.BadStatement(sql.BAD_ARGUMENTS, f"session_timeout is {text!r}: use whole seconds, such as 60")
    return float(text)


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
        sys.stderr.write(f"chDB {engine.version} in {path}, http://{host}:{server.server_port}\n")
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
        serve(
            chosen.path,
            chosen.host,
            chosen.port,
            max_threads=chosen.max_threads,
            max_memory_bytes=chosen.max_memory,
        )
    except (OSError, RuntimeError) as error:
        sys.exit(f"error: cannot serve {chosen.path} on {chosen.host}:{chosen.port}: {error}")


if __name__ == "__main__":
    main()
