"""The API for commands: who asks, of which address, and what a failure means for the exit code.

Exit codes: 0 done, 1 nothing is there, 2 a wrong value, 3 not signed in or not allowed, 4 the service does not answer.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeAlias

import typer

if TYPE_CHECKING:
    from attribution_client import Client
    from cli.kept_login import Login

NOTHING: Final = 1
BAD_INPUT: Final = 2
NOT_ALLOWED: Final = 3
UNREACHABLE: Final = 4

Url: TypeAlias = Annotated[
    str, typer.Option("--url", help="Address of the API \\[env: ATTRIBUTION_API_URL; default: that of the login].")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="JSON on stdout; amounts are integers of micros.")]
_SIGN_IN: Final = (
    "Run `attribution login`, or where the API runs: export ATTRIBUTION_API_KEY=$(attribution key show-local)"
)


@contextmanager
def api(url: str = "", login: Login | None = None) -> Iterator[Client]:
    """A client with the credential of the environment, else of the login; its failures end the command.

    Args:
        url: of the API; empty: of the environment, else of the login, else the local stack.
        login: instead of the one that is kept.
    """
    with failures():
        from attribution_client import Client, Retries

        kept = login or _kept(url)
        patience = Retries(attempts=3, longest_wait_s=10)
        with Client(kept.url, kept.key, session=kept.session, retries=patience) as client:
            yield client


@contextmanager
def failures() -> Iterator[None]:
    """One line on stderr and an exit code for whatever the client raises."""
    try:
        from attribution_client import AttributionError, InvalidInput, NotAllowed, NotFound, NotSignedIn
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed; run: pip install ./clients/python, or make setup", BAD_INPUT)
    from cli.kept_login import LoginFileError

    try:
        yield
    except NotFound as problem:
        fail(problem.detail or str(problem), NOTHING)
    except InvalidInput as problem:
        fail("; ".join(str(e) for e in problem.errors) or problem.detail or str(problem), BAD_INPUT)
    except NotSignedIn as problem:
        fail(f"{problem.detail or problem.title} {_SIGN_IN}", NOT_ALLOWED)
    except NotAllowed as problem:
        fail(problem.detail or problem.title, NOT_ALLOWED)
    except LoginFileError as error:
        fail(str(error), BAD_INPUT)
    except AttributionError as error:
        fail(str(error), UNREACHABLE)
    except ValueError as error:
        fail(str(error), BAD_INPUT)


def show(found: Any) -> None:
    """An answer as JSON."""
    print(as_json(asdict(found), indent=2))


def as_json(plain: Any, *, indent: int | None = None) -> str:
    """Times in ISO-8601, Decimals as texts."""
    return json.dumps(plain, default=_text, ensure_ascii=False, indent=indent)


def fail(message: str, code: int) -> NoReturn:
    """End the command."""
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)


def address(url: str, kept: Login | None) -> str:
    """Where the API is, without a slash at the end."""
    from attribution_client.connection import LOCAL

    return (url or os.environ.get("ATTRIBUTION_API_URL", "") or (kept.url if kept else LOCAL)).rstrip("/")


def _kept(url: str) -> Login:
    """Address and credential. A kept secret goes to the address that it was kept for, and to no other."""
    from cli import kept_login

    if key := os.environ.get("ATTRIBUTION_API_KEY", ""):
        return kept_login.Login(address(url, None), key)
    kept = kept_login.read()
    where = address(url, kept)
    return kept if kept is not None and kept.url == where else kept_login.Login(where)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
