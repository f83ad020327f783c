"""People with a password, hashed by scrypt (32 MiB, about 0.1 s). Who does not exist takes as long as who does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from accounts import tables
from accounts.database import Database
from accounts.errors import AccountError
from accounts.principal import Principal
from accounts.roles import SCOPES, Role

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_MIN_PASSWORD: Final = 12
_MAX_PASSWORD: Final = 256
_N, _R, _P = 1 << 15, 8, 1
_NOBODY: Final = f"scrypt${'A' * 24}${'A' * 44}"


@dataclass(frozen=True, slots=True)
class User:
    """What may be shown of a user."""

    name: str
    role: Role
    workspace: str
    created_at: datetime
    disabled_at: datetime | None

    def principal(self) -> Principal | None:
        """Who it stands for; None when disabled."""
        if self.disabled_at is not None:
            return None
        return Principal(f"user:{self.name}", self.role, SCOPES[self.role], self.workspace)


class Users:
    """Users of all workspaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, password: str, *, role: Role, workspace: str, now: datetime) -> User:
        """A new user.

        Raises:
            AccountError: the name is taken or cannot be used, or the password is too short.
        """
        if not _NAME.fullmatch(name):
            raise AccountError(f"name={name!r}: must be small letters, digits and . _ @ + -, like ada@example.org")
        kept = hash_password(password)
        try:
            with self._database.write() as connection:
                connection.execute(
                    insert(tables.users).values(
                        name=name, password=kept, role=role.value, workspace=workspace, created_at=now
                    )
                )
        except IntegrityError:
            raise AccountError(f"name={name!r}: is taken; choose another") from None
        return User(name, role, workspace, now, None)

    def verify(self, name: str, password: str) -> Principal | None:
        """Who has this name and password; None when nobody does."""
        with self._database.read() as connection:
            found = connection.execute(select(tables.users).where(tables.users.c.name == name)).first()
        is_right = check_password(password, _NOBODY if found is None else found.password)
        return _user(found).principal() if is_right and found is not None else None

    def find(self, name: str) -> User | None:
        """A user by name."""
        with self._database.read() as connection:
            found = connection.execute(select(tables.users).where(tables.users.c.name == name)).first()
        return None if found is None else _user(found)

    def all(self, workspace: str | None = None) -> list[User]:
        """Users of a workspace, or of all, by name."""
        asked = select(tables.users).order_by(tables.users.c.name)
        if workspace is not None:
            asked = asked.where(tables.users.c.workspace == workspace)
        with self._database.read() as connection:
            return [_user(row) for row in connection.execute(asked)]

    def change(
        self,
        name: str,
        *,
        workspace: str,
        now: datetime,
        role: Role | None = None,
        password: str | None = None,
        disabled: bool | None = None,
    ) -> User | None:
        """Change what is given of a user, all of it or nothing; None when nobody in the workspace has this name.

        A user who was disabled before keeps that time. Sessions are not ended here.

        Raises:
            AccountError: the password is too short or too long.
        """
        kept = tables.users
        values: dict[str, Any] = {} if role is None else {"role": role.value}
        if password is not None:
            values["password"] = hash_password(password)
        if disabled is not None:
            moment = literal(now, tables.Moment())
            values["disabled_at"] = func.coalesce(kept.c.disabled_at, moment) if disabled else None
        is_meant = and_(kept.c.name == name, kept.c.workspace == workspace)
        with self._database.write() as connection:
            if values:
                connection.execute(update(kept).where(is_meant).values(**values))
            found = connection.execute(select(kept).where(is_meant)).first()
        return None if found is None else _user(found)

    def set_password(self, name: str, password: str) -> bool:
        """Another password; False when nobody has this name. The user's sessions are not ended here.

        Raises:
            AccountError: it is too short.
        """
        kept = hash_password(password)
        with self._database.write() as connection:
            change = update(tables.users).where(tables.users.c.name == name).values(password=kept)
            return bool(connection.execute(change).rowcount)

    def disable(self, name: str, *, now: datetime) -> bool:
        """Let the user in no more; False when nobody has this name."""
        with self._database.write() as connection:
            change = update(tables.users).where(tables.users.c.name == name).values(disabled_at=now)
            return bool(connection.execute(change).rowcount)


def hash_password(password: str) -> str:
    """``scrypt$salt$hash``.

    Raises:
        AccountError: too short or too long.
    """
    if not _MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise AccountError(f"password: must have {_MIN_PASSWORD} to {_MAX_PASSWORD} characters")
    salt = secrets.token_bytes(16)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(_scrypt(password, salt)).decode()}"


def check_password(password: str, kept: str) -> bool:
    """Whether it is the one that was hashed; a longer one than allowed never is."""
    _, salt, digest = kept.split("$")
    found = _scrypt(password[:_MAX_PASSWORD], base64.b64decode(salt))
    return hmac.compare_digest(found, base64.b64decode(digest)) and len(password) <= _MAX_PASSWORD


def _scrypt(password: str, salt: bytes) -> bytes:
    plain = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(plain, salt=salt, n=_N, r=_R, p=_P, maxmem=64 << 20, dklen=32)


def _user(row: Any) -> User:
    return User(row.name, Role(row.role), row.workspace, row.created_at, row.disabled_at)
