"""The accounts for commands: opened from the environment, closed at the end, failures as one line and an exit code.

Exit codes: 0 done, 1 it cannot be done (no such thing, the database does not answer, a broken chain), 2 a wrong value.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import typer

if TYPE_CHECKING:
    from accounts.accounts import Accounts

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@contextmanager
def opened() -> Iterator[Accounts]:
    """The accounts."""
    from pydantic import ValidationError

    from accounts.accounts import Accounts
    from accounts.errors import AccountError, AccountsUnavailable
    from accounts.settings import AccountsSettings

    try:
        accounts = Accounts(AccountsSettings())
    except ValidationError as error:
        fail("; ".join(f"ATTRIBUTION_ACCOUNTS_{e['loc'][0]}: {e['msg']}".upper() for e in error.errors()), 2)
    except AccountsUnavailable as error:
        fail(str(error), 1)
    try:
        yield accounts
    except AccountsUnavailable as error:
        fail(str(error), 1)
    except AccountError as error:
        fail(str(error), 2)
    finally:
        accounts.close()


def show(as_json: bool, found: Any, text: str) -> None:
    """On stdout, one way or the other."""
    print(json.dumps(found, default=str) if as_json else text)


def now() -> datetime:
    """Aware UTC."""
    return datetime.now(UTC)


def role_of(name: str) -> Any:
    """The role of a name; a wrong one ends the command."""
    from accounts.roles import Role

    try:
        return Role(name)
    except ValueError:
        fail(f"--role={name!r}: choose from {', '.join(Role)}", 2)


def fail(message: str, code: int) -> NoReturn:
    """End the command."""
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
