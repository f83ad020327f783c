"""Workspaces by name. What a name means for databases and topics is said by the rooms that own those."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select

from accounts import tables
from accounts.database import Database
from accounts.errors import AccountError

DEFAULT: Final = "default"
_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,30}")


def check_name(name: str) -> str:
    """The name, if it can be one.

    Raises:
        AccountError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"workspace={name!r}: must be a small letter and up to 30 more small letters or digits, like acme"
        )
    return name


class Workspaces:
    """The registered ones; ``default`` always exists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self) -> list[str]:
        """All of them, ``default`` first."""
        with self._database.read() as connection:
            return [DEFAULT, *connection.execute(select(tables.workspaces.c.name).order_by("name")).scalars()]

    def exists(self, name: str) -> bool:
        """Whether it is registered."""
        return name == DEFAULT or name in self.names()

    def require(self, name: str) -> str:
        """The name, if it is registered.

        Raises:
            AccountError: it is not.
        """
        if not self.exists(name):
            raise AccountError(f"workspace={name!r} does not exist; make it with: attribution workspace create {name}")
        return name

    def add(self, name: str, *, now: datetime) -> bool:
        """Register it; False when it was.

        Raises:
            AccountError: the name cannot be used.
        """
        if self.exists(check_name(name)):
            return False
        with self._database.write() as connection:
            connection.execute(insert(tables.workspaces).values(name=name, created_at=now))
        return True
