"""Backups of one database by the engine's own BACKUP and RESTORE, on its disk ``backups``.

A copy is proven by bringing it back under another name and adding its tables up: what ``Sums`` say is what the copy
holds, whatever the workers wrote meanwhile. A table of which only the newest row of a key counts is added up like that,
so merges change nothing.

Raises like ``clickhouse.queries``, and ``BackupError``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeAlias

from clickhouse import migrate, queries
from clickhouse.client import connect
from clickhouse.errors import BackupError, SinkRejected

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from clickhouse.settings import ClickHouseSettings

#: A large database takes hours.
_TIMEOUT_S: Final = 24 * 3600
#: Tables that say how far programs are. A database with rows in no other one holds nothing that could be lost.
BOOKKEEPING: Final = frozenset(
    {
        "active_run",
        "dirty_days",
        "path_state",
        "rollup_pass",
        "rollup_state",
        "runs",
        "schema_migrations",
        "worker_progress",
    }
)


class Sum(NamedTuple):
    """What a table holds: rows, and the sum of their hashes."""

    rows: int
    hash: int


Sums: TypeAlias = dict[str, Sum]


@dataclass(frozen=True, slots=True)
class Disk:
    """The server's disk for backups; ``path`` None: it is of a kind that has no folder."""

    path: Path | None


class Backups:
    """Backups on one server; a context manager."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings.model_copy(update={"send_receive_timeout_s": _TIMEOUT_S})
        self._client: Client = connect(self._settings, use_database=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def engine_version(self) -> str:
        """As the server says it."""
        return str(self._client.server_version)

    def disk(self) -> Disk:
        """Where backups go.

        Raises:
            BackupError: the server has no such disk.
        """
        found = queries.run(self._client, "backup_disk")
        if not found:
            raise BackupError("the ClickHouse server has no disk named backups; docs/backup.md has its configuration")
        path = Path(found[0]["path"])
        return Disk(path if found[0]["kind"] == "Local" and path.is_dir() else None)

    def create(self, name: str) -> None:
        """Copy the database of the settings under this name."""
        names = {"source_database": self._settings.database, "backup_name": name}
        self._run("backup_create", names)

    def restore(self, name: str, source: str, target: str) -> None:
        """Bring a copy of ``source`` back as ``target``, which must not be there."""
        self._run("backup_restore", {"source_database": source, "target_database": target, "backup_name": name})

    def forget_locks(self) -> None:
        """Free what somebody held in the database of the settings when it was copied."""
        client = connect(self._settings)
        try:
            for row in queries.run(client, "backup_locks", database=self._settings.database):
                queries.execute(client, "lock_drop", lock=row["name"])
        finally:
            client.close()

    def drop(self, database: str) -> None:
        """Remove a database, if it is there."""
        queries.execute(self._client, "backup_drop", tables={"target_database": database})

    def sums(self, database: str) -> Sums:
        """What every table holds."""
        found: Sums = {}
        for table in queries.run(self._client, "backup_tables", database=database):
            query = "backup_sum_newest" if table["is_replacing"] else "backup_sum"
            (row,) = queries.run(self._client, query, database=database, of_table=table["name"])
            found[table["name"]] = Sum(row["row_count"], row["hash_sum"])
        return found

    def prove(self, name: str, source: str) -> Sums:
        """Bring a copy back beside the database, add it up, and remove it again."""
        scratch = f"{name}_proof"
        self.drop(scratch)
        try:
            self.restore(name, source, scratch)
            return self.sums(scratch)
        finally:
            self.drop(scratch)

    def kept_rows(self) -> int:
        """Rows in the database of the settings that a restore would lose; 0 also where there is no such database."""
        sums = self.sums(self._settings.database)
        return sum(found.rows for table, found in sums.items() if table not in BOOKKEEPING)

    def _run(self, statement: str, names: dict[str, str]) -> None:
        try:
            queries.execute(self._client, statement, tables=names)
        except SinkRejected as error:
            raise BackupError(f"ClickHouse refuses: {error}") from error


def migration_of(settings: ClickHouseSettings) -> int:
    """The newest migration that a database has; 0 for none.

    Raises:
        MigrationError: files and database do not fit.
    """
    return max((s.migration.version for s in migrate.status(settings) if s.applied_at is not None), default=0)


def different(wanted: Sums, found: Sums) -> list[str]:
    """One line per table that is not as it was."""
    return [
        f"{table}: {found[table].rows if table in found else 'no'} rows instead of {sum_.rows}"
        + (", with another content" if table in found and found[table].rows == sum_.rows else "")
        for table, sum_ in sorted(wanted.items())
        if found.get(table) != sum_
    ]
