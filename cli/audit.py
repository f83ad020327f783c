"""``attribution audit``: check the chain of the audit log, and read its end."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.open_accounts import Json, fail, opened, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    audit = typer.Typer(help="Who called what, when, with which result.", no_args_is_help=True)
    audit.command()(verify)
    audit.command()(tail)
    app.add_typer(audit, name="audit")


def verify(
    expect_entries: Annotated[int, typer.Option(min=0, help="Entries that an earlier check counted.")] = 0,
    as_json: Json = False,
) -> None:
    """Recompute the chain. Note count and head elsewhere: a cut-off end shows only against an earlier count."""
    with opened() as accounts:
        found = accounts.audit.verify()
    is_cut = found.entries < expect_entries and not found.broken_at
    text = f"{found.entries} entries, head {found.head}"
    plain = {"is_whole": not found.broken_at and not is_cut, **asdict(found)}
    show(as_json, plain, text)
    if found.broken_at:
        fail(f"the audit log is broken at entry {found.broken_at}: it was changed, or made under another pepper", 1)
    if is_cut:
        fail(
            f"the audit log has {found.entries} entries, an earlier check counted {expect_entries}: its end is gone", 1
        )


def tail(limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20, as_json: Json = False) -> None:
    """The newest entries, the newest last."""
    with opened() as accounts:
        found = accounts.audit.last(limit)[::-1]
    lines = [
        f"{e.at:%Y-%m-%d %H:%M:%S}  {e.status:>3}  {e.method:<6} {e.route:<55} {e.workspace:<10} {e.actor}"
        for e in found
    ]
    show(as_json, [asdict(e) for e in found], "\n".join(lines) or "no entry")
