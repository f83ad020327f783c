"""All of it in one place, and the one way from a credential to who holds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from accounts import secret_files
from accounts.audit import AuditLog
from accounts.database import Database
from accounts.keys import Keys
from accounts.principal import Principal
from accounts.roles import Role
from accounts.sessions import Sessions
from accounts.settings import AccountsSettings
from accounts.tokens import Tokens
from accounts.users import Users
from accounts.workspaces import DEFAULT, Workspaces


class Accounts:
    """Users, keys, sessions, tokens, workspaces and the audit log. Calls block; several threads may share it.

    Raises (every call):
        AccountsUnavailable: the database or a file cannot be used.
    """

    def __init__(self, settings: AccountsSettings) -> None:
        digests = secret_files.load_digests(settings)
        self._database = Database(settings.database_url)
        self._local = settings.dir / "local.key"
        self.keys = Keys(self._database, digests)
        self.users = Users(self._database)
        self.sessions = Sessions(self._database, digests)
        self.audit = AuditLog(self._database, digests)
        self.workspaces = Workspaces(self._database)
        self.tokens = Tokens(settings)

    def of_bearer(self, text: str, *, now: datetime) -> Principal | None:
        """Who holds a key (``id.secret``) or a token (three parts)."""
        if text.count(".") == 1:
            return self.keys.verify(text, now=now)
        found = self.tokens.verify(text)
        if found is None or found.actor.startswith("token:"):
            return found if found is not None and self.workspaces.exists(found.workspace) else None
        # our own tokens end with the account that they were made for, and never say more than it may
        owner = self.of_actor(found.actor, now=now)
        if owner is None or owner.workspace != found.workspace:
            return None
        return replace(owner, scopes=owner.scopes & found.scopes, expires_at=found.expires_at)

    def of_session(self, text: str, *, now: datetime) -> Principal | None:
        """Who a session's cookie stands for."""
        found = self.sessions.find(text, now=now)
        if found is None:
            return None
        owner = self.of_actor(found[0], now=now)
        return None if owner is None else replace(owner, expires_at=found[1])

    def of_actor(self, actor: str, *, now: datetime) -> Principal | None:
        """A key or a user as they are now; None when they are no more."""
        kind, _, name = actor.partition(":")
        if kind == "key":
            key = self.keys.find(name)
            return None if key is None else key.principal(now)
        user = self.users.find(name) if kind == "user" else None
        return None if user is None else user.principal()

    def ensure_local_key(self, *, now: datetime) -> tuple[Path, bool]:
        """The file with an admin key of this machine, and whether it was made just now: when there is no key at all."""
        is_new = not self.keys.all()
        if is_new:
            _, text = self.keys.create(role=Role.ADMIN, workspace=DEFAULT, label="first run", now=now)
            secret_files.write(self._local, text)
        return self._local, is_new

    def close(self) -> None:
        """Give back the connections."""
        self._database.close()
