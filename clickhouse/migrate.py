"""Applies ``migrations/NNNN_verb_noun.sql`` in order, each once, and refuses when files and database do not fit.

Every statement can be repeated (``IF NOT EXISTS``, ``OR REPLACE``, inserts that replace themselves): a process killed
inside a file simply applies that file again, and two that start at once end in the same state. What cannot be repeated
(a swap of names) is guarded: after the comment ``-- only if: SELECT ...`` the next statement runs only if that query
answers with something other than 0. A published file is never edited; its checksum is kept in ``schema_migrations``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse import queries
from clickhouse.client import connect
from clickhouse.cluster import on_cluster, spread
from clickhouse.errors import MigrationError, translate
from clickhouse.locks import table_lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

    from clickhouse.settings import ClickHouseSettings

LOCK: Final = "schema_migrations_lock"
_LOCK_STALE_S: Final = 60
_LOCK_WAIT_S: Final = 90.0

_FILE_NAME = re.compile(r"(\d{4})_([a-z]+(?:_[a-z0-9]+)+)\.sql")
#: A comment, a quoted text or name with its escapes, the end of a statement, or any other character.
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
      | (?P<end>;)
      | (?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


#: What a comment that guards the next statement begins with; the rest of its line is a query.
_GUARD: Final = "-- only if:"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement; it is left out when ``only_if`` (a query, ``""``: none) answers with 0."""

    statement: str
    only_if: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, line ends made equal."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def steps(self) -> list[Step]:
        """Its statements, without comments, and their guards."""
        return split_statements(self.sql)

    def on(self, cluster: str) -> list[Step]:
        """Its statements for a cluster; ``""``: for one server.

        Raises:
            MigrationError: one of them is not known to work on a cluster.
        """
        if not cluster:
            return self.steps
        try:
            return [Step(on_cluster(step.statement, cluster), step.only_if) for step in self.steps]
        except ValueError as error:
            raise MigrationError(f"migrations/{self.version:04}_{self.name}.sql: {error}") from None


@dataclass(frozen=True, slots=True)
class State:
    """One migration and when it was applied; ``applied_at`` None means not yet."""

    migration: Migration
    applied_at: datetime | None


def split_statements(sql: str) -> list[Step]:
    """Cuts at semicolons outside comments and quotes; comments that are no guard are dropped, empty statements too."""
    found: list[Step] = []
    current: list[str] = []
    guard = ""
    for token in [*_TOKEN.finditer(sql), None]:
        if token is None or token.lastgroup == "end":
            text = "".join(current).strip()
            if text:
                found.append(Step(text, guard))
            current, guard = [], ""
        elif token.lastgroup == "comment":
            current.append(" ")
            if token.group().startswith(_GUARD):
                guard = token.group().removeprefix(_GUARD).strip()
        else:
            current.append(token.group())
    return found


def load() -> list[Migration]:
    """The files of this program, in order.

    Raises:
        MigrationError: a name that does not fit, or a gap in the numbers.
    """
    migrations = []
    for file in sorted((files("clickhouse") / "migrations").iterdir(), key=lambda f: f.name):
        name = _FILE_NAME.fullmatch(file.name)
        if name is None:
            raise MigrationError(f"migrations/{file.name}: must be named NNNN_verb_noun.sql")
        migrations.append(Migration(int(name[1]), name[2], file.read_text(encoding="utf-8")))
    for expected, migration in enumerate(migrations, 1):
        if migration.version != expected:
            raise MigrationError(f"migrations/{migration.version:04}_{migration.name}.sql: {expected:04} was expected")
    return migrations


def status(settings: ClickHouseSettings, migrations: Sequence[Migration] | None = None) -> list[State]:
    """Every migration and whether it is applied. Changes nothing, creates nothing.

    Raises:
        MigrationError: an applied file was edited, or the database knows more than this program.
        SinkUnavailable: ClickHouse does not answer.
    """
    known = load() if migrations is None else list(migrations)
    client = connect(settings, use_database=False)
    try:
        if not queries.run(client, "migrations_exists", database=settings.database)[0]["has_table"]:
            return [State(migration, None) for migration in known]
    finally:
        client.close()
    client = connect(settings)
    try:
        return _states(client, known)
    finally:
        client.close()


def migrate(
    settings: ClickHouseSettings,
    *,
    dry_run: bool = False,
    migrations: Sequence[Migration] | None = None,
    cluster: str = "",
) -> list[Migration]:
    """Brings the database to this program's state, creating it if it is not there.

    Args:
        settings: which database.
        dry_run: change nothing, only say what would be applied.
        migrations: other files than this program's own.
        cluster: whose servers all get the definitions, see ``clickhouse.cluster``; ``""``: the one of the settings.

    Returns:
        What was applied, or would be.

    Raises:
        MigrationError: an applied file was edited, or the database knows more than this program.
        LockHeld: another process is at it for too long.
        SinkUnavailable: ClickHouse does not answer.
        SinkRejected: ClickHouse refuses a statement.
    """
    known = load() if migrations is None else list(migrations)
    pending = [state.migration for state in status(settings, known) if state.applied_at is None]
    if dry_run or not pending:
        return pending
    client = connect(settings, use_database=False)
    try:
        _define(client, "migrations_create_database", cluster, database=settings.database)
    finally:
        client.close()
    client = connect(settings)
    try:
        with table_lock(client, LOCK, stale_after_s=_LOCK_STALE_S, wait_s=_LOCK_WAIT_S):
            _define(client, "migrations_create_table", cluster)
            # asked again: somebody else may have finished while we waited
            pending = [state.migration for state in _states(client, known) if state.applied_at is None]
            for migration in pending:
                _apply(client, migration, cluster)
            if cluster:
                for statement in spread(cluster):
                    _command(client, statement, f"tables over all shards of {cluster}")
    finally:
        client.close()
    return pending


def _states(client: Client, known: Sequence[Migration]) -> list[State]:
    applied = {row["version"]: row for row in queries.run(client, "migrations_applied")}
    unknown = [row for version, row in applied.items() if version not in {m.version for m in known}]
    if unknown:
        raise MigrationError(
            f"the database has migration {unknown[0]['version']:04}_{unknown[0]['name']}, which this program does not "
            f"know: it was migrated by a newer version; upgrade this program"
        )
    for migration in known:
        row = applied.get(migration.version)
        if row is not None and row["checksum"] != migration.checksum:
            raise MigrationError(
                f"migrations/{migration.version:04}_{migration.name}.sql was edited after it was applied on "
                f"{row['applied_at']:%Y-%m-%d}; restore the file and write the change as a new migration"
            )
    return [State(m, applied[m.version]["applied_at"] if m.version in applied else None) for m in known]


def _define(client: Client, name: str, cluster: str, **bound: str) -> None:
    statement = re.sub(r"^(--[^\n]*\n)+", "", queries.load(name)).strip()
    _command(client, on_cluster(statement, cluster) if cluster else statement, name, **bound)


def _command(client: Client, statement: str, what: str, **bound: str) -> None:
    try:
        client.command(statement, parameters=bound)
    except ClickHouseError as error:
        raise translate(error, what) from error


def _apply(client: Client, migration: Migration, cluster: str) -> None:
    what = f"{migration.version:04}_{migration.name}"
    for number, step in enumerate(migration.on(cluster), 1):
        try:
            if step.only_if and not client.query(step.only_if).result_rows[0][0]:
                continue
            client.command(step.statement)
        except ClickHouseError as error:
            raise translate(error, f"migration {what}, statement {number}") from error
    queries.execute(
        client, "migrations_record", version=migration.version, name=migration.name, checksum=migration.checksum
    )
