"""``attribution login``: keeps a key or a session for the commands over the API. No secret is ever an argument."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.api_access import BAD_INPUT, NOTHING, Json, Url, address, api, as_json, fail, failures


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(login)


def login(
    url: Url = "",
    user: Annotated[str, typer.Option(help="Sign in by this name and a password; left out: by an API key.")] = "",
    forget: Annotated[bool, typer.Option("--forget", help="End the session and remove what is kept.")] = False,
    as_json_: Json = False,
) -> None:
    """Sign in. The key or password is asked for, or read from stdin; it is kept with mode 0600 below ~/.config.

    Exit codes of login, report, journey, explain and tail: 0 done, 1 nothing is there, 2 a wrong value, 3 not signed in
    or not allowed, 4 the service does not answer.
    """
    from cli import kept_login

    if forget:
        _forget(as_json_)
        return
    where = address(url, None)
    secret = _secret("Password" if user else "API key")
    if not secret:
        fail("the key or password is empty; give it on stdin or at the prompt", BAD_INPUT)
    with api(login=kept_login.Login(where, key="" if user else secret)) as client:
        if user:
            who = client.login(user=user, password=secret)
            kept = kept_login.Login(where, session=client.session)
        else:
            who, kept = client.who(), kept_login.Login(where, key=secret)
        path = kept_login.write(kept)
    shown = {"actor": who.actor, "role": who.role, "workspace": who.workspace, "url": where, "file": str(path)}
    print(as_json(shown) if as_json_ else f"{who.actor}: {who.role} of {who.workspace} at {where}; kept in {path}")


def _forget(as_json_: bool) -> None:
    from attribution_client import AttributionError
    from cli import kept_login

    with failures():
        kept = kept_login.read()
    if kept is not None and kept.session:
        from attribution_client import Client

        try:
            with Client(kept.url, session=kept.session) as client:
                client.logout()
        except AttributionError as error:
            print(f"attribution: the session could not be ended ({error}); it ends by itself", file=sys.stderr)
    if not kept_login.forget():
        fail("nothing is kept", NOTHING)
    print(as_json({"forgotten": True}) if as_json_ else "forgotten")


def _secret(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    found: str = typer.prompt(name, hide_input=True, err=True)
    return found.strip()
