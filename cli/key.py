"""``attribution key``: API keys and the keys that sign tokens, on the machine that holds the accounts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.open_accounts import Json, fail, now, opened, role_of, show

if TYPE_CHECKING:
    from accounts.keys import Key


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="API keys: write keys of producers, too.", no_args_is_help=True)
    keys.command()(create)
    keys.command("list")(list_keys)
    keys.command()(revoke)
    keys.command("show-local")(show_local)
    keys.command("rotate-signing")(rotate_signing)
    app.add_typer(keys, name="key")


def create(
    role: Annotated[str, typer.Option(help="viewer, analyst, ingestor or admin.")] = "viewer",
    workspace: Annotated[str, typer.Option(envvar="ATTRIBUTION_WORKSPACE", help="Whose data.")] = "default",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    scopes: Annotated[str, typer.Option(help="Fewer than the role's, comma-separated.")] = "",
    days: Annotated[float, typer.Option(min=0, help="Ends after so many days; 0: never.")] = 0,
    as_json: Json = False,
) -> None:
    """Make a key. Its text is shown this one time."""
    from datetime import timedelta

    from accounts.roles import Scope

    try:
        given = frozenset(Scope(name.strip()) for name in scopes.split(",")) if scopes else None
    except ValueError:
        fail(f"--scopes={scopes!r}: choose from {', '.join(Scope)}", 2)
    with opened() as accounts:
        at = now()
        key, text = accounts.keys.create(
            role=role_of(role),
            workspace=accounts.workspaces.require(workspace),
            label=label,
            scopes=given,
            expires_at=at + timedelta(days=days) if days else None,
            now=at,
        )
        show(as_json, {"key": text, **_plain(key)}, text)


def list_keys(as_json: Json = False) -> None:
    """Every key of every workspace, without its secret."""
    with opened() as accounts:
        found = accounts.keys.all()
        lines = [
            f"{k.id}  {k.role.value:<9} {k.workspace:<12} {_state(k):<20} {','.join(sorted(k.scopes))}  {k.label}"
            for k in found
        ]
        show(as_json, [_plain(key) for key in found], "\n".join(lines) or "no key")


def revoke(key_id: Annotated[str, typer.Argument(help="The part before the dot.")], as_json: Json = False) -> None:
    """End a key for good; running APIs know it within 5 seconds."""
    with opened() as accounts:
        if not accounts.keys.revoke(key_id.partition(".")[0], now=now()):
            fail(f"no key has the id {key_id.partition('.')[0]}; see: attribution key list", 1)
        show(as_json, {"revoked": key_id.partition(".")[0]}, "revoked")


def show_local(
    data_dir: Annotated[Path, typer.Option(help="The folder of `attribution up`.")] = Path("data"),
) -> None:
    """Print the key that the first start made, for `curl -H "X-API-Key: $(attribution key show-local)"`."""
    from cli.local_key import local_key

    folder = Path(os.environ.get("ATTRIBUTION_ACCOUNTS_DIR") or data_dir / "accounts")
    found = os.environ.get("ATTRIBUTION_API_KEY") or local_key(folder)
    if not found:
        fail(f"{folder / 'local.key'} does not exist: start `attribution up`, or run `attribution key create`", 1)
    print(found)


def rotate_signing(
    retire: Annotated[bool, typer.Option("--retire", help="Also remove all older keys: their tokens end now.")] = False,
    as_json: Json = False,
) -> None:
    """Sign tokens with a new key from now on; those of older keys stay good for their 15 minutes."""
    with opened() as accounts:
        kid = accounts.tokens.rotate(now=now())
        gone = accounts.tokens.retire(now=now()) if retire else []
        show(as_json, {"kid": kid, "retired": gone}, f"{kid} signs now; {len(gone)} older keys removed")


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    return "no end" if key.expires_at is None else f"until {key.expires_at:%Y-%m-%d}"


def _plain(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "label": key.label,
        "role": key.role.value,
        "scopes": sorted(key.scopes),
        "workspace": key.workspace,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }
