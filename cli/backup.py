"""``attribution backup`` and ``attribution restore``: ClickHouse, accounts, and where the workers are in the topics.

Positions are taken down before the tables are copied. So whatever a restored worker reads again is in the copy already,
or comes new; both are harmless, since rows are replaced by key.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    to: Annotated[Path, typer.Option(help="Folder of the backup, new or empty; it holds secrets and personal data.")],
    proof: Annotated[
        bool, typer.Option("--proof/--no-proof", help="Bring the copy back beside the database and add it up.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Copy the database, the accounts and the positions of the workers, while everything runs."""
    from cli.backup_steps import make

    _say(lambda report: make(to, proof=proof, report=report), as_json=as_json)


def restore(
    source: Annotated[Path, typer.Option("--from", help="Folder of the backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also over a database and accounts that hold something: it is lost.")
    ] = False,
    positions: Annotated[
        bool, typer.Option("--positions/--no-positions", help="Let the workers go on from where they were.")
    ] = True,
    accounts: Annotated[
        bool, typer.Option("--accounts/--no-accounts", help="Bring users, keys and secrets back, too.")
    ] = True,
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Check files, bring the copy back beside the database, remove it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back. Stop the workers first; start the API again afterwards."""
    from cli.backup_steps import bring_back, verify

    def work(report: Callable[[str], None]) -> dict[str, Any]:
        if verify_only:
            return verify(source, report=report)
        return bring_back(source, replace=replace, positions=positions, accounts=accounts, report=report)

    _say(work, as_json=as_json)


def _say(work: Callable[[Callable[[str], None]], dict[str, Any]], *, as_json: bool) -> None:
    from accounts.errors import AccountsUnavailable
    from cli.backup_manifest import ManifestError
    from clickhouse.errors import StoreError
    from stream_app.topics import TopicError

    def report(line: str) -> None:
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)

    try:
        found = work(report)
    except ManifestError as error:
        _fail(str(error), 2)
    except (StoreError, TopicError, AccountsUnavailable, OSError) as error:
        _fail(str(error), 1)
    if as_json:
        print(json.dumps(found))


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
