"""API keys ``id.secret``. The secret leaves once, at creation; kept is its HMAC under the pepper."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, literal, select, update

from accounts import tables
from accounts.database import Database
from accounts.errors import AccountError
from accounts.principal import Principal
from accounts.roles import SCOPES, Role, Scope
from accounts.secret_files import Digests, new_secret

MAX_LENGTH: Final = 128
_NOBODY: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Key:
    """What may be shown of a key."""

    id: str
    label: str
    role: Role
    scopes: frozenset[Scope]
    workspace: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def principal(self, now: datetime) -> Principal | None:
        """Who it stands for; None when it is revoked or over."""
        found = Principal(f"key:{self.id}", self.role, self.scopes, self.workspace, self.expires_at)
        return None if self.revoked_at is not None or found.is_over(now) else found


class Keys:
    """Keys of all workspaces."""

    def __init__(self, database: Database, digests: Digests) -> None:
        self._database, self._digests = database, digests

    def create(
        self,
        *,
        role: Role,
        workspace: str,
        now: datetime,
        label: str = "",
        scopes: frozenset[Scope] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[Key, str]:
        """A new key, and its text ``id.secret`` for this one time.

        Raises:
            AccountError: scopes beyond the role's, or an end that is past.
        """
        given = SCOPES[role] if scopes is None else scopes
        if not given or not given <= SCOPES[role]:
            wrong = ", ".join(sorted(given - SCOPES[role])) or "none"
            raise AccountError(f"scopes={wrong}: role {role} has {', '.join(sorted(SCOPES[role]))}; choose from these")
        if expires_at is not None and expires_at <= now:
            raise AccountError(f"expires_at={expires_at.isoformat()}: is past; give a time to come, or none")
        if len(label) > 128:
            raise AccountError("label: has more than 128 characters; give a shorter one")
        key = Key(secrets.token_hex(8), label, role, given, workspace, now, expires_at, None)
        secret = new_secret()
        with self._database.write() as connection:
            connection.execute(
                insert(tables.keys).values(
                    id=key.id,
                    digest=self._digests.of("key", f"{key.id}.{secret}"),
                    label=label,
                    role=role.value,
                    scopes=" ".join(sorted(given)),
                    workspace=workspace,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
        return key, f"{key.id}.{secret}"

    def verify(self, text: str, *, now: datetime) -> Principal | None:
        """Who holds this key; None when nobody does, or not any more."""
        if len(text) > MAX_LENGTH:
            return None
        with self._database.read() as connection:
            found = connection.execute(select(tables.keys).where(tables.keys.c.id == text.partition(".")[0])).first()
        kept = _NOBODY if found is None else found.digest
        is_right = hmac.compare_digest(self._digests.of("key", text), kept)
        return _key(found).principal(now) if is_right and found is not None else None

    def find(self, key_id: str) -> Key | None:
        """A key by its id."""
        with self._database.read() as connection:
            found = connection.execute(select(tables.keys).where(tables.keys.c.id == key_id)).first()
        return None if found is None else _key(found)

    def all(self, workspace: str | None = None) -> list[Key]:
        """Keys of a workspace, or of all, the oldest first."""
        asked = select(tables.keys).order_by(tables.keys.c.created_at, tables.keys.c.id)
        if workspace is not None:
            asked = asked.where(tables.keys.c.workspace == workspace)
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(asked)]

    def revoke(self, key_id: str, *, now: datetime, workspace: str | None = None) -> bool:
        """End a key for good; False when there is none of this id (in this workspace)."""
        change = update(tables.keys).where(tables.keys.c.id == key_id)
        if workspace is not None:
            change = change.where(tables.keys.c.workspace == workspace)
        with self._database.write() as connection:
            done = connection.execute(
                change.values(revoked_at=func.coalesce(tables.keys.c.revoked_at, literal(now, tables.Moment())))
            )
            return bool(done.rowcount)


def _key(row: Any) -> Key:
    scopes = frozenset(Scope(name) for name in row.scopes.split())
    return Key(row.id, row.label, Role(row.role), scopes, row.workspace, row.created_at, row.expires_at, row.revoked_at)
