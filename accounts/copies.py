"""Copies of the accounts: the database and the files beside it, which hold secrets (mode 0600).

Only SQLite is copied; a PostgreSQL database has tools of its own (``pg_dump``), and ``copy_to`` says so.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from accounts.errors import AccountsUnavailable
from accounts.settings import AccountsSettings

DATABASE: Final = "accounts.db"


def copy_to(settings: AccountsSettings, folder: Path) -> bool:
    """Copy database and files as they are at one moment, while others use them; whether the database is among them.

    Raises:
        AccountsUnavailable: something cannot be read or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for file in _files(settings.dir):
            _copy(file, folder / file.name)
        source = settings.dir / DATABASE
        if settings.url.get_secret_value() or not source.exists():
            return False
        _copy_database(source, folder / DATABASE)
    except (OSError, sqlite3.Error) as error:
        raise AccountsUnavailable(f"the accounts in {settings.dir} cannot be copied: {error}") from error
    return True


def has_accounts(settings: AccountsSettings) -> bool:
    """Whether the folder of the settings holds a database already."""
    return (settings.dir / DATABASE).exists()


def restore_from(folder: Path, settings: AccountsSettings) -> None:
    """Bring a copy back over what is there. A process that has the accounts open must be started again.

    Raises:
        AccountsUnavailable: something cannot be read or written.
    """
    try:
        settings.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in _files(folder):
            _copy(file, settings.dir / file.name)
        if (folder / DATABASE).exists():
            _copy_database(folder / DATABASE, settings.dir / DATABASE)
    except (OSError, sqlite3.Error) as error:
        raise AccountsUnavailable(f"the accounts cannot be restored to {settings.dir}: {error}") from error


def _files(folder: Path) -> list[Path]:
    """Pepper, signing keys, local key: whatever lies beside the database."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(f for f in found if f.is_file() and not f.name.startswith((DATABASE, ".")))


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def _copy_database(source: Path, target: Path) -> None:
    if not target.exists():
        target.touch(mode=0o600)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
