"""Answers of ``/auth``. No ``repr`` shows a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The caller, and what the credential allows."""

    actor: str
    role: str
    scopes: tuple[str, ...]
    workspace: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOut:
    """A token of 15 minutes."""

    access_token: str = field(repr=False)
    expires_at: datetime
    token_type: str = "bearer"  # noqa: S105 - the kind of token, by RFC 6750


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOut:
    """What may be shown of a key."""

    id: str
    label: str
    role: str
    scopes: tuple[str, ...]
    workspace: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key and its text, which is shown this one time."""

    key: str = field(repr=False)
    shown: KeyOut


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """Keys of the workspace, revoked ones too."""

    keys: tuple[KeyOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserOut:
    """What may be shown of a user; one with ``disabled_at`` may not sign in."""

    name: str
    role: str
    workspace: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserList:
    """Users of the workspace, disabled ones too."""

    users: tuple[UserOut, ...]
