"""``attribution user``: people who sign in to the UI."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.open_accounts import Json, fail, now, opened, role_of, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(help="People with a password. It is asked for, or read from stdin.", no_args_is_help=True)
    users.command()(create)
    users.command("list")(list_users)
    users.command("set-password")(set_password)
    users.command()(disable)
    app.add_typer(users, name="user")


def create(
    name: str,
    role: Annotated[str, typer.Option(help="viewer, analyst, ingestor or admin.")] = "viewer",
    workspace: Annotated[str, typer.Option(envvar="ATTRIBUTION_WORKSPACE", help="Whose data.")] = "default",
    as_json: Json = False,
) -> None:
    """Make a user."""
    with opened() as accounts:
        place = accounts.workspaces.require(workspace)
        made = accounts.users.create(name, _password(), role=role_of(role), workspace=place, now=now())
        plain = {"name": made.name, "role": made.role.value, "workspace": made.workspace}
        show(as_json, plain, f"{made.name}: {made.role} of {made.workspace}")


def list_users(as_json: Json = False) -> None:
    """Every user of every workspace."""
    with opened() as accounts:
        found = [
            {"name": u.name, "role": u.role.value, "workspace": u.workspace, "disabled": u.disabled_at is not None}
            for u in accounts.users.all()
        ]
        lines = [
            f"{u['name']:<32} {u['role']:<9} {u['workspace']:<12} {'disabled' if u['disabled'] else ''}" for u in found
        ]
        show(as_json, found, "\n".join(lines) or "no user")


def set_password(name: str, as_json: Json = False) -> None:
    """Give a user another password; every session of theirs ends."""
    with opened() as accounts:
        if not accounts.users.set_password(name, _password()):
            fail(f"nobody has the name {name!r}; see: attribution user list", 1)
        ended = accounts.sessions.end_all(f"user:{name}")
        show(as_json, {"name": name, "sessions_ended": ended}, f"done; {ended} sessions ended")


def disable(name: str, as_json: Json = False) -> None:
    """Let a user in no more; every session and token of theirs ends within 5 seconds."""
    with opened() as accounts:
        if not accounts.users.disable(name, now=now()):
            fail(f"nobody has the name {name!r}; see: attribution user list", 1)
        ended = accounts.sessions.end_all(f"user:{name}")
        show(as_json, {"name": name, "sessions_ended": ended}, f"disabled; {ended} sessions ended")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    found: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return found
