"""Who calls: the answer of every way to sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.roles import Role, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that was recognised.

    ``actor`` is ``key:ID``, ``user:NAME`` or ``token:SUBJECT`` (of a foreign issuer); it holds no secret and may be
    logged. ``expires_at`` None: its credential does not end by itself.
    """

    actor: str
    role: Role
    scopes: frozenset[Scope]
    workspace: str
    expires_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether the credential has expired."""
        return self.expires_at is not None and self.expires_at <= now
