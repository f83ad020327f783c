"""Calls for those who run the service: users, and records that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from attribution_client.calls import Call, get, post
from attribution_client.models import auth
from attribution_client.models import letters as found
from attribution_client.parameters import query

_USERS: Final = "/api/v1/auth/users"
_LETTERS: Final = "/api/v1/data/dead-letters"


def users() -> Call[auth.UserList]:
    """People who sign in to the workspace."""
    return get(_USERS, auth.UserList)


def create_user(name: str, password: str, *, role: str = "viewer") -> Call[auth.UserOut]:
    """Make a user; ``Conflict`` if the name is taken."""
    return post(_USERS, auth.UserOut, {"name": name, "password": password, "role": role})


def change_user(
    name: str, *, role: str | None = None, password: str | None = None, disabled: bool | None = None
) -> Call[auth.UserOut]:
    """Another role or password, or whether they may sign in; ``Conflict`` for the caller's own name."""
    content = {"role": role, "password": password, "disabled": disabled}
    return post(f"{_USERS}/{{name}}", auth.UserOut, content, name=name)


def dead_letters(
    *,
    reason: str | None = None,
    topic: str | None = None,
    since: datetime | str | None = None,
    retried: bool | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[found.DeadLetterPage]:
    """Records that were refused, the newest first."""
    asked = {"reason": reason, "topic": topic, "since": since, "retried": retried, "limit": limit, "cursor": cursor}
    return get(_LETTERS, found.DeadLetterPage, query=query(asked))


def dead_letter(letter: str) -> Call[found.DeadLetterShown]:
    """One of them whole, by its ``PARTITION@OFFSET``: personal data."""
    return get(f"{_LETTERS}/{{letter}}", found.DeadLetterShown, letter=letter)


def retry_dead_letters(
    letters: Sequence[str] | None = None,
    *,
    reason: str | None = None,
    value: str | None = None,
    again: bool | None = None,
) -> Call[found.RetryOut]:
    """Send letters again, by place or all of a reason; one letter with another ``value``, if you like.

    ``InvalidInput`` names the field of ``value`` that is still wrong. What was sent before is passed over.
    """
    named = None if letters is None else list(letters)
    content = {"letters": named, "reason": reason, "value": value, "again": again}
    return post(f"{_LETTERS}/retry", found.RetryOut, content, is_repeatable=True)
