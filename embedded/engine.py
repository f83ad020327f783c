"""The ClickHouse engine in this process (chDB), one statement at a time per call, any number of calls at once.

Settings, parameters, the current database and temporary tables of one call are never seen by another: each has a chDB
session for itself, new or left as it was by a call of the same kind (``ready_sessions``). Calls that name the same
``session_id`` share one and exclude each other.
Defaults differ from the engine's where its own would surprise: ``async_insert=0``, few threads, a memory limit.

One process per directory: a second one fails to open it. Raises ``EngineError`` with ClickHouse's code and text.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from embedded.ready_sessions import ReadySessions
from embedded.sql import NOT_IMPLEMENTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from embedded.ready_sessions import Kind
    from embedded.sql import Statement

UNKNOWN_SETTING: Final = 115
NOT_ENOUGH_SPACE: Final = 243
SESSION_NOT_FOUND: Final = 372
SESSION_IS_LOCKED: Final = 373
#: Left free for merges and logs: below it, inserts are refused.
_DISK_RESERVE: Final = 16 << 20
READ_ONLY_BUT_SETTINGS: Final = 2  # readonly=2: no changes to data, but settings may be set

#: Server settings, of merges above all.
_CONFIG: Final = Path(__file__).with_name("engine.xml")
_CODE: Final = re.compile(r"Code: (\d+)\.")
_WRAPPING: Final = re.compile(r"^.*?(?=Code: \d+\. DB::Exception)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class EngineError(RuntimeError):
    """An error of the engine; the text begins with ``Code: N. DB::Exception:``."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """Rows that come with a query: a temporary table for its duration."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One statement and all that goes with it. ``readonly``: 0, 1 or 2 as ClickHouse means them."""

    statement: Statement
    data: Iterable[bytes] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    database: str = ""
    format: str = "TabSeparated"
    readonly: int = 0
    session_id: str = ""
    session_timeout_s: float = 60.0
    session_check: bool = False
    external: tuple[ExternalTable, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A result and its statistics. ``data`` is a view into the engine's memory, alive as long as ``owner``."""

    data: memoryview | bytes = b""
    owner: object = None
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_ns: int = 0


@dataclass(slots=True)
class _Kept:
    session: Any
    lock: threading.Lock
    expires: float = 0.0


class Engine:
    """The engine over one directory. Thread safe; ``close()`` ends it."""

    def __init__(self, path: Path, *, max_threads: int = 2, max_memory_bytes: int = 0, at_once: int = 16) -> None:
        """Open the directory.

        Args:
            path: Where the data are; made if absent.
            max_threads: Of one query.
            max_memory_bytes: Of one query; 0 for half of the machine.
            at_once: Statements that run side by side; others wait.
        """
        os.environ["TZ"] = "UTC"  # the engine reads it once: times without a zone must not depend on the machine
        os.environ["ATTRIBUTION_ENGINE_BACKUPS"] = f"{path.absolute()}/backups/"  # as engine.xml asks
        from chdb.session import Session  # noqa: PLC0415 - 0.5 s and 400 MB, only for the process that is the engine

        make: Any = Session  # untyped
        self._open: Callable[[], Any] = lambda: make(f"{path}?config-file={_CONFIG}")
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._anchor = self._open()  # keeps the engine up between calls
        memory = max_memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        self._defaults = {
            "async_insert": "0",
            "max_threads": str(max_threads),
            "max_memory_usage": str(memory),
            "implicit_select": "0",  # clickhouse-local's default takes `1 + 1` for a query
        }
        self._slots = threading.BoundedSemaphore(at_once)
        self._ready = ReadySessions(self._open)
        self._kept: dict[str, _Kept] = {}
        self._guard = threading.Lock()
        told = self._anchor.query("SELECT version(), timezone(), hostName()", "TSV").bytes().decode()
        self.version, self.timezone, self.host = told.rstrip("\n").split("\t")
        names = self._anchor.query(
            "SELECT code, name FROM system.errors SETTINGS system_events_show_zero_values = 1", "TSV"
        )
        self._error_names = {int(c): n for c, n in (line.split("\t") for line in names.bytes().decode().splitlines())}

    def close(self) -> None:
        """Close every session; the engine flushes and ends."""
        with self._guard:
            self._ready.clear()
            for kept in self._kept.values():
                kept.session.close()
            self._kept.clear()
            self._anchor.close()

    def run(self, call: Call) -> Answer:
        """Run one statement.

        Raises:
            EngineError: What the engine, or this stack in its place, says.
        """
        with self._slots, self._session(call) as (session, is_set_up):
            started = time.perf_counter_ns()
            try:
                if not is_set_up:
                    self._set_up(session, call)
                answer = self._insert(session, call) if call.statement.data_format else _query(session, call)
            except EngineError:
                raise
            except Exception as error:  # noqa: BLE001 - chDB raises several kinds, all with the engine's text
                raise self._translated(error) from None
            return replace(answer, elapsed_ns=time.perf_counter_ns() - started)

    def _set_up(self, session: Any, call: Call) -> None:
        for name in call.settings:
            if not _NAME.fullmatch(name):
                raise self.error(UNKNOWN_SETTING, f"Unknown setting '{name}'")
        if call.database:
            # rule-ok: identifiers are quoted
            session.query(f"USE {_identifier(call.database)}")
        settings = dict(call.settings) if call.session_id else {**self._defaults, **call.settings}
        if call.statement.data_format:  # an INSERT with data takes parameters from the session only
            settings |= {f"param_{name}": value for name, value in call.parameters.items()}
        for table in call.external:
            # rule-ok: identifiers are quoted
            session.query(f"CREATE TEMPORARY TABLE {_identifier(table.name)} ({table.structure})")
            load = session.send_insert(f"INSERT INTO {_identifier(table.name)}", table.format)
            load.append(table.data)
            load.finish()
        if call.readonly:
            settings["readonly"] = str(call.readonly)  # last: it locks the others
        if settings:
            # rule-ok: values are quoted
            session.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))

    @contextlib.contextmanager
    def _session(self, call: Call) -> Iterator[tuple[Any, bool]]:
        """A session and whether it is set up for the call."""
        if not call.session_id:
            with self._own_session(call) as found:
                yield found
            return
        if call.readonly:
            raise self.error(NOT_IMPLEMENTED, "readonly inside a named session is not supported: leave out session_id")
        kept = self._keep(call)
        try:
            before = _state(kept.session, call)
            yield kept.session, False
            for statement in before:
                kept.session.query(statement)
        finally:
            kept.expires = time.monotonic() + call.session_timeout_s
            kept.lock.release()

    @contextlib.contextmanager
    def _own_session(self, call: Call) -> Iterator[tuple[Any, bool]]:
        kind = _kind(call)
        session, is_set_up = (self._open(), False) if kind is None else self._ready.take(kind)
        try:
            yield session, is_set_up
        except BaseException:
            session.close()
            raise
        if kind is not None:
            self._ready.give_back(kind, session)
            return
        session.close()
        if not call.statement.leaves_session:
            self._ready.clear()  # it may have dropped a database that they are in

    def _keep(self, call: Call) -> _Kept:
        now = time.monotonic()
        with self._guard:
            for name, kept in list(self._kept.items()):
                if kept.expires < now and kept.lock.acquire(blocking=False):
                    kept.session.close()
                    del self._kept[name]
            found = self._kept.get(call.session_id)
            if found is None:
                if call.session_check:
                    raise self.error(SESSION_NOT_FOUND, f"Session {call.session_id} not found")
                found = _Kept(self._open(), threading.Lock())
                # rule-ok: values are quoted
                found.session.query("SET " + ", ".join(f"{k} = {_quoted(v)}" for k, v in self._defaults.items()))
                self._kept[call.session_id] = found
            if not found.lock.acquire(blocking=False):
                text = f"Session {call.session_id} is locked by a concurrent client"
                raise self.error(SESSION_IS_LOCKED, text)
            return found

    def _insert(self, session: Any, call: Call) -> Answer:
        stream = session.send_insert(call.statement.text, call.statement.data_format)
        size = 0
        try:
            for piece in filter(None, call.data):
                stream.append(piece)
                size += len(piece)
            self._require_room(size)
            done = stream.finish()
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                stream.cancel()
            raise
        rows, size = done.rows_written, done.bytes_written
        return Answer(read_rows=rows, read_bytes=size, written_rows=rows, written_bytes=size)

    def _require_room(self, size: int) -> None:
        """A streamed insert into a full disk is answered with success by chDB, and nothing is stored."""
        disk = os.statvfs(self._path)
        free, needed = disk.f_bavail * disk.f_frsize, _DISK_RESERVE + 2 * size
        if free < needed:
            raise self.error(
                NOT_ENOUGH_SPACE, f"Cannot reserve {needed} bytes, not enough space: {free} bytes are free"
            )

    def error(self, code: int, message: str) -> EngineError:
        """An error of ours in the engine's words."""
        name = self._error_names.get(code, "UNKNOWN_EXCEPTION")
        return EngineError(code, f"Code: {code}. DB::Exception: {message}. ({name}) (version {self.version})")

    def _translated(self, error: Exception) -> EngineError:
        text = str(error)
        codes = _CODE.findall(text)
        if not codes:
            return self.error(1002, text)
        text = _WRAPPING.sub("", text)
        first = f"Code: {codes[0]}. DB::Exception: "
        while text.startswith(first * 2):  # chDB wraps some errors once per layer
            text = text.removeprefix(first)
            text = re.sub(r"( \(version [^)]*\))?\. \(\w+\)$", "", text)
        if "(version " not in text:
            text = f"{text.rstrip()} (version {self.version})"
        return EngineError(int(codes[0]), text)


def _kind(call: Call) -> Kind | None:
    """What a session must be set up for, or None for a call that needs one for itself."""
    has_parameters_in_session = bool(call.statement.data_format and call.parameters)
    if not call.statement.leaves_session or has_parameters_in_session or call.external:
        return None
    return call.database, frozenset(call.settings.items()), call.readonly


def _query(session: Any, call: Call) -> Answer:
    result = session.query(call.statement.text, call.format, params=dict(call.parameters))
    owner = result.get_memview() if result.size() else None
    return Answer(
        data=owner.view() if owner else b"",
        owner=owner,
        read_rows=result.storage_rows_read(),
        read_bytes=result.bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        result_rows=result.rows_read(),
    )


def _state(session: Any, call: Call) -> list[str]:
    """Statements that undo, in a kept session, what a call sets for itself alone."""
    undo = []
    if call.database:
        current = session.query("SELECT currentDatabase()", "RawBLOB").bytes().decode()
        undo.append(f"USE {_identifier(current)}")
    for name in filter(_NAME.fullmatch, call.settings):
        lookup = "SELECT value FROM system.settings WHERE name = {name:String}"
        value = session.query(lookup, "RawBLOB", params={"name": name}).bytes()
        undo.append(f"SET {name} = {_quoted(value.decode())}")
    return undo


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
