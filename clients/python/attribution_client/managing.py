"""Calls for those who run the service: what-ifs, users, and records that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Literal

from attribution_client.calls import Call, get, post
from attribution_client.models import auth
from attribution_client.models import letters as found
from attribution_client.models import runs as runs_
from attribution_client.parameters import query

_USERS: Final = "/api/v1/auth/users"
_LETTERS: Final = "/api/v1/data/dead-letters"
_RUNS: Final = "/api/v1/runs"


def begin_run(
    name: str,
    *,
    half_life_days: float | None = None,
    lookback_days: float | None = None,
    exclude_channels: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    source: Literal["auto", "topics", "facts"] | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Call[runs_.RunEntry]:
    """Compute everything anew with other parameters; ask ``run_entry`` how far it is.

    The same again goes on with a run that was stopped. ``Conflict`` while another one is being computed.
    """
    content = {
        "name": name,
        "half_life_days": half_life_days,
        "lookback_days": lookback_days,
        "exclude_channels": None if exclude_channels is None else list(exclude_channels),
        "models": None if models is None else list(models),
        "source": source,
        "from": None if from_ is None else from_.isoformat(),
        "to": None if to is None else to.isoformat(),
    }
    return post(_RUNS, runs_.RunEntry, content)


def cancel_run(run: str) -> Call[runs_.RunEntry]:
    """Stop computing a run; what is done stays."""
    return post(f"{_RUNS}/{{run}}/cancel", runs_.RunEntry, run=run)


def drop_run(run: str) -> Call[None]:
    """Remove a run that is not shown, with all its rows."""
    return post(f"{_RUNS}/{{run}}/drop", type(None), run=run)


def run_difference(
    run: str,
    with_: str,
    *,
    attribution_model: str | None = None,
    start_date: date | str | None = None,
    end_date: date | str | None = None,
) -> Call[runs_.RunDifference]:
    """Two runs by channel under one model, from their daily sums."""
    asked = {
        "run": run,
        "with_": with_,
        "attribution_model": attribution_model,
        "start_date": start_date,
        "end_date": end_date,
    }
    return get(f"{_RUNS}/difference", runs_.RunDifference, query=query(asked))


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
    return post("/api/v1/data/dead-letter-retries", found.RetryOut, content, is_repeatable=True)
