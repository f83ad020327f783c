"""The connection. Opened at the first use; calls block, so the API makes them in threads.

On SQLite reads and writes go side by side (WAL), and a writing transaction takes the lock at its start: what it reads
is still so when it writes. On PostgreSQL the two places that need this, the chain of the audit log and the making of
the tables, take an advisory lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from accounts import tables
from accounts.errors import AccountsUnavailable

_BUSY_S: Final = 10.0
_LOCK: Final = 0x7461626C  # any number, the same in every process, another than the audit log's


class Database:
    """One database; ``url`` is SQLAlchemy's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading transaction.

        Raises:
            AccountsUnavailable: the database does not answer or is of another version.
        """
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A writing transaction; it is committed at the end, and undone by an error.

        Raises:
            AccountsUnavailable: as above.
        """
        with self._transaction(writes=True) as connection:
            yield connection

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self._url.startswith("sqlite")

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._opened().execution_options(writes=writes).begin() as connection:
                yield connection
        except IntegrityError:
            raise  # the caller's own question: a name that is taken
        except SQLAlchemyError as error:
            raise AccountsUnavailable(f"the accounts database does not answer ({type(error).__name__})") from error

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                engine = self._connect()
                try:
                    _create(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _connect(self) -> Engine:
        try:
            url = make_url(self._url)
            if not self.is_sqlite:
                return create_engine(url, pool_pre_ping=True, hide_parameters=True)
            if url.database and url.database != ":memory:":
                file = Path(url.database)
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.touch(mode=0o600)
            engine = create_engine(url, connect_args={"timeout": _BUSY_S}, hide_parameters=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise AccountsUnavailable(
                f"ATTRIBUTION_ACCOUNTS_URL cannot be used ({type(error).__name__}); examples: "
                "sqlite:////var/lib/attribution/accounts.db, postgresql+psycopg://user@host/accounts"
            ) from None
        except OSError as error:
            raise AccountsUnavailable(
                f"the accounts database cannot be made ({error.strerror}); set ATTRIBUTION_ACCOUNTS_DIR"
            ) from error
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        return engine


def _on_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver's own guess at where a transaction begins comes too late
    for pragma in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL"):
        connection.execute(pragma)


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _create(engine: Engine) -> None:
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            if inspect(connection).has_table(tables.versions.name):
                found = connection.execute(select(tables.versions.c.version)).scalar()
                if found != tables.VERSION:
                    raise AccountsUnavailable(
                        f"the accounts database is of version {found}, this program needs {tables.VERSION}"
                    )
                return
            tables.METADATA.create_all(connection)
            script = files("accounts") / "sql" / f"append_only.{engine.dialect.name}.sql"
            for statement in script.read_text(encoding="utf-8").split("\n\n"):
                connection.exec_driver_sql(statement)
            connection.execute(insert(tables.versions).values(version=tables.VERSION))
    except SQLAlchemyError as error:
        raise AccountsUnavailable(f"the accounts database cannot be opened ({type(error).__name__})") from error
