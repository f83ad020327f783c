"""What ClickHouse's HTTP interface says: words of a URL, content types, error statuses, the summary of an answer.

Pure: a request's words and body become a ``Call`` here; ``facade`` moves the bytes.
Raises ``StatementError`` and ``BodyError`` for requests that make no sense.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from embedded import sql
from embedded.engine import READ_ONLY_BUT_SETTINGS, Answer, Call
from embedded.forms import external_tables, is_about_table, read_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from embedded.body import Body

#: Enough of a body to find the statement in front of an INSERT's data.
HEAD_BYTES: Final = 1024 * 1024

#: Words of the interface; everything else in a URL is a setting, a parameter or about an external table.
_RESERVED: Final = frozenset(
    {
        "query", "user", "password", "database", "default_format", "query_id", "session_id", "session_timeout",
        "session_check", "close_session", "quota_key", "role", "stacktrace", "compress", "decompress", "buffer_size",
        "wait_end_of_query", "client_protocol_version",
    }
)  # fmt: skip
#: Settings that only speak about the transport and change nothing here.
_TRANSPORT: Final = frozenset(
    {
        "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
        "cancel_http_readonly_queries_on_client_close", "http_wait_end_of_query", "http_zlib_compression_level",
    }
)  # fmt: skip
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
    400: "BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE "
    "CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER "
    "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_INPUT_ASSERTION_FAILED "
    "CANNOT_PARSE_UUID DUPLICATE_COLUMN ILLEGAL_COLUMN UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE "
    "THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH "
    "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
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


def status_of(error_text: str) -> int:
    """The HTTP status of an error in ClickHouse's words."""
    name = _ERROR_NAME.search(error_text)
    return next((status for status, names in _STATUS.items() if name and name[1] in names.split()), 500)


def content_type(output_format: str) -> str:
    """The content type of a format."""
    return next((kind for name, kind in _CONTENT_TYPES if output_format.startswith(name)), "text/plain; charset=UTF-8")


def summary(answer: Answer) -> str:
    """``X-ClickHouse-Summary``: numbers as texts, as a server writes them."""
    counts = {
        "read_rows": answer.read_rows,
        "read_bytes": answer.read_bytes,
        "written_rows": answer.written_rows,
        "written_bytes": answer.written_bytes,
        "total_rows_to_read": 0,
        "result_rows": answer.result_rows,
        "result_bytes": len(answer.data),
        "elapsed_ns": answer.elapsed_ns,
    }
    return json.dumps({name: str(count) for name, count in counts.items()}, separators=(",", ":"))


def read_call(url: Mapping[str, str], header: Callable[[str], str | None], body: Body, *, may_write: bool) -> Call:
    """The call that a request asks for. ``header`` looks a name up without regard to case.

    Raises:
        StatementError: No statement, several, or words that contradict the interface.
        BodyError: A form that is none.
    """
    form = read_form(header("Content-Type") or "", body)
    words = {**url, **(form.values if form else {})}
    if any(words.get(word, "0") not in ("", "0") for word in ("compress", "decompress")):
        message = "compress and decompress are not supported: use Accept-Encoding and Content-Encoding"
        raise sql.StatementError(sql.NOT_IMPLEMENTED, message)
    in_url = words.get("query", "").encode()
    if in_url and body.size and form is None:
        in_url += b"\n"
    head = in_url if form else in_url + body.read(HEAD_BYTES)
    statement = sql.read(head)
    if not statement.data_format and form is None and body.size > HEAD_BYTES:
        statement = sql.read(in_url + body.read())
    settings = {
        key: value
        for key, value in words.items()
        if key not in _RESERVED | _TRANSPORT and not key.startswith("param_") and not is_about_table(key, form)
    }
    readonly = _choice("readonly", settings.pop("readonly", "0"), ("0", "1", "2"))
    return Call(
        statement=statement,
        data=chain((head[statement.data_at : len(in_url)],), body.pieces(max(0, statement.data_at - len(in_url)))),
        settings=settings,
        parameters={key.removeprefix("param_"): value for key, value in words.items() if key.startswith("param_")},
        database=words.get("database") or header("X-ClickHouse-Database") or "",
        format=words.get("default_format") or header("X-ClickHouse-Format") or "TabSeparated",
        readonly=int(readonly) if may_write or readonly == "1" else READ_ONLY_BUT_SETTINGS,
        session_id=words.get("session_id", ""),
        session_timeout_s=_seconds(words.get("session_timeout", "60")),
        session_check=words.get("session_check", "0") == "1",
        external=external_tables(form, url) if form else (),
    )


def _choice(name: str, value: str, valid: tuple[str, ...]) -> str:
    if value not in valid:
        raise sql.StatementError(sql.BAD_ARGUMENTS, f"{name} is {value!r}: use one of {', '.join(valid)}")
    return value


def _seconds(text: str) -> float:
    if not text.isdecimal():
        raise sql.StatementError(sql.BAD_ARGUMENTS, f"session_timeout is {text!r}: use whole seconds, such as 60")
    return float(text)
