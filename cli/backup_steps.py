"""The steps of ``attribution backup`` and ``attribution restore``, in their order.

Raises the errors of the rooms, and ``ManifestError``. ``report`` gets one line per step.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from accounts.copies import copy_to, has_accounts, restore_from
from accounts.settings import AccountsSettings
from cli import backup_manifest
from cli.backup_manifest import Manifest, ManifestError
from cli.store import read_settings
from clickhouse.backup import Backups, Sum, Sums, different, migration_of
from clickhouse.client import connect
from clickhouse.errors import BackupError
from clickhouse.migrate import load, migrate
from clickhouse.runs import Runs
from clickhouse.settings import ClickHouseSettings
from stream_app.positions import Position, cluster_id, is_at_work, positions, set_positions
from stream_app.settings import WorkerSettings

Report = Callable[[str], None]
_DATA: Final = "clickhouse"
_ACCOUNTS: Final = "accounts"


def make(folder: Path, *, proof: bool, report: Report) -> dict[str, Any]:
    """Make a backup in a folder that is new or empty."""
    if folder.exists() and any(folder.iterdir()):
        raise ManifestError(f"--to={folder}: is not empty; every backup has a folder of its own")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings, worker = read_settings(), WorkerSettings()
    now = datetime.now(UTC)
    name = f"backup_{now:%Y%m%d_%H%M%S_%f}"
    with Backups(settings) as backups:
        disk = backups.disk()
        found = _positions(worker, settings)
        report(f"positions of {len(found)} groups, {sum(map(len, found.values()))} partitions")
        backups.create(name)
        sums: Sums = backups.prove(name, settings.database) if proof else {}
        counted = f"{sum(s.rows for s in sums.values())} rows in {len(sums)} tables, " if proof else ""
        report(f"database {settings.database}: {counted}{'brought back and added up' if proof else 'not proven'}")
        if disk.path is not None:
            shutil.move(disk.path / name, folder / _DATA)
        else:
            report(f"the copy stays on the server's disk backups, as {name}")
        has_copy = copy_to(AccountsSettings(), folder / _ACCOUNTS)
        report("accounts" if has_copy else "accounts: files only; copy their database with its own tools")
        made = Manifest(
            made_at=now.isoformat(),
            program=version("realtime-attribution"),
            engine=backups.engine_version,
            database=settings.database,
            workspace=worker.workspace,
            migration=migration_of(settings),
            name=name,
            has_data=disk.path is not None,
            has_accounts=has_copy,
            cluster=cluster_id(worker.bootstrap_servers),
            tables={table: (s.rows, s.hash) for table, s in sums.items()},
            positions={group: [(*p,) for p in of_group] for group, of_group in found.items()},
            files=backup_manifest.files_of(folder),
        )
    backup_manifest.write(folder, made)
    size = sum(size for size, _ in made.files.values())
    report(f"done: {folder}, {len(made.files)} files, {size / 1e6:.1f} MB")
    return {"folder": str(folder), "name": name, "bytes": size, "rows": sum(s.rows for s in sums.values())}


def verify(folder: Path, *, report: Report) -> dict[str, Any]:
    """Check a backup without changing anything but a scratch database."""
    made = _checked(folder, report)
    with Backups(read_settings()) as backups, _on_disk(backups, folder, made) as name:
        found = backups.prove(name, made.database)
    _compare(made, found)
    report(f"{sum(s.rows for s in found.values())} rows in {len(found)} tables are as they were on {made.made_at}")
    return {"folder": str(folder), "rows": sum(s.rows for s in found.values()), "ok": True}


def bring_back(folder: Path, *, replace: bool, positions: bool, accounts: bool, report: Report) -> dict[str, Any]:
    """Restore a backup; everything that could forbid it is looked at before anything is changed."""
    made = _checked(folder, report)
    settings, worker, owners = read_settings(), WorkerSettings(), AccountsSettings()
    if positions:
        _refuse_cluster(made, worker)
    accounts = accounts and made.has_accounts
    if accounts and has_accounts(owners) and not replace:
        raise BackupError(
            f"{owners.dir} has accounts already: say --no-accounts to keep them, --replace to lose them, or set "
            "ATTRIBUTION_ACCOUNTS_DIR"
        )
    with Backups(settings) as backups, _on_disk(backups, folder, made) as name:
        if (rows := backups.kept_rows()) and not replace:
            raise BackupError(
                f"database {settings.database} holds {rows} rows, which would be lost: say --replace, or set "
                "CLICKHOUSE_DATABASE to another name"
            )
        backups.drop(settings.database)
        backups.restore(name, made.database, settings.database)
        backups.forget_locks()
        found = backups.sums(settings.database)
    _compare(made, found)
    report(f"database {settings.database}: {sum(s.rows for s in found.values())} rows in {len(found)} tables")
    for migration in migrate(settings):
        report(f"applied {migration.version:04} {migration.name}")
    _build_sums(settings)
    if accounts:
        restore_from(folder / _ACCOUNTS, owners)
        report(f"accounts: {owners.dir}; start the API again")
    if positions:
        _set_positions(made, worker, report)
    report("done; start the workers")
    return {"database": settings.database, "rows": sum(s.rows for s in found.values())}


def _build_sums(settings: ClickHouseSettings) -> None:
    """Tables are copied one after the other: sums may be of another moment than the rows."""
    client = connect(settings)
    try:
        runs = Runs(client)
        for run in runs.every():
            if run.status != "dropped":
                runs.mark_days(run)
        runs.build_sums()
    finally:
        client.close()


def _positions(worker: WorkerSettings, settings: ClickHouseSettings) -> dict[str, list[Position]]:
    """Of the environment's group and of every run that workers feed."""
    groups = {worker.group_id: worker}
    client = connect(settings)
    try:
        runs = Runs(client).every()
    finally:
        client.close()
    for run in runs:
        if run.status != "dropped" and run.group_id and run.group_id not in groups:
            groups[run.group_id] = worker.model_copy(update={"group_id": run.group_id})
    return {
        group: positions(worker.bootstrap_servers, group, of_group.source_topics) for group, of_group in groups.items()
    }


def _checked(folder: Path, report: Report) -> Manifest:
    made = backup_manifest.read(folder)
    newest = load()[-1].version
    if made.migration > newest:
        raise ManifestError(
            f"{folder} was made by program version {made.program} with migration {made.migration:04}, this program "
            f"knows {newest:04}: upgrade this program"
        )
    backup_manifest.check_files(folder, made)
    report(f"{len(made.files)} files are as they were written")
    return made


@contextmanager
def _on_disk(backups: Backups, folder: Path, made: Manifest) -> Iterator[str]:
    """The copy on the server's disk, under a name; what was put there is removed again."""
    if not made.has_data:
        yield made.name
        return
    path = backups.disk().path
    if path is None:
        raise BackupError(
            f"{folder / _DATA} must be on the server's disk backups, which is no folder of this machine: copy it there "
            f'as {made.name}, set "has_data": false in the manifest, and try again'
        )
    name = f"restore_{made.name.removeprefix('backup_')}"
    shutil.copytree(folder / _DATA, path / name, dirs_exist_ok=True)
    try:
        yield name
    finally:
        shutil.rmtree(path / name, ignore_errors=True)


def _compare(made: Manifest, found: Sums) -> None:
    wanted = {table: Sum(*sums) for table, sums in made.tables.items()}
    if wrong := different(wanted, found):
        raise BackupError(f"what came back is not what was copied: {'; '.join(wrong)}")


def _refuse_cluster(made: Manifest, worker: WorkerSettings) -> None:
    here = cluster_id(worker.bootstrap_servers)
    if here != made.cluster:
        raise BackupError(
            f"the positions are of Kafka cluster {made.cluster}, this one is {here}: say --no-positions, and see "
            "docs/backup.md for what then"
        )
    for group in made.positions:
        if is_at_work(worker.bootstrap_servers, group):
            raise BackupError(f"group {group} has members: stop its workers, then restore")


def _set_positions(made: Manifest, worker: WorkerSettings, report: Report) -> None:
    for group, wanted in made.positions.items():
        gone = set_positions(worker.bootstrap_servers, group, [Position(*p) for p in wanted])
        report(f"group {group}: {len(wanted)} positions")
        for position in gone:
            report(
                f"  {position.topic}-{position.partition}: records behind {position.offset} were deleted by retention"
            )
