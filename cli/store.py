"""``attribution migrate``; the connection to the store that commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from clickhouse.settings import ClickHouseSettings


def register(app: typer.Typer) -> None:
    """Adds ``migrate``."""
    app.command()(migrate)


def migrate(
    action: Annotated[str, typer.Argument(help="apply, or status to look only.")] = "apply",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statements, change nothing.")] = False,
) -> None:
    """Brings the ClickHouse database to this version's tables and views."""
    from clickhouse import migrate as migrations
    from clickhouse.errors import MigrationError, StoreError

    if action not in {"apply", "status"}:
        fail(f"ACTION={action!r}: choose apply or status", 2)
    settings = read_settings()
    try:
        if action == "status":
            for state in migrations.status(settings):
                applied = f"{state.applied_at:%Y-%m-%d %H:%M:%S} UTC" if state.applied_at else "pending"
                print(f"{state.migration.version:04} {state.migration.name:<24} {applied}")
            return
        changed = migrations.migrate(settings, dry_run=dry_run)
    except MigrationError as error:
        fail(str(error), 2)
    except StoreError as error:
        fail(str(error), 1)
    for migration in changed:
        print(f"{'would apply' if dry_run else 'applied'} {migration.version:04} {migration.name}")
        if dry_run:
            for step in migration.steps:
                print(
                    f"-- only if: {step.only_if}\n{step.statement};" if step.only_if else f"{step.statement};",
                    end="\n\n",
                )
    if not changed:
        print(f"database {settings.database} is up to date")


@contextmanager
def connected() -> Iterator[Any]:  # the client's type belongs to the room that makes it
    """A connection to the store; what it cannot do ends the command with exit code 1."""
    from clickhouse.client import connect
    from clickhouse.errors import StoreError

    settings = read_settings()
    try:
        client = connect(settings)
        try:
            yield client
        finally:
            client.close()
    except StoreError as error:
        fail(f"error: {error}", 1)


def read_settings() -> ClickHouseSettings:
    """Where the store is, from the environment; a wrong value ends the command with its name."""
    from pydantic import ValidationError

    from clickhouse.settings import ClickHouseSettings

    try:
        return ClickHouseSettings.of_environment()
    except ValidationError as error:
        lines = [
            f"CLICKHOUSE_{'.'.join(str(part) for part in e['loc']).upper()}={e['input']!r}: {e['msg']}"
            for e in error.errors(include_url=False)
        ]
        fail("; ".join(lines), 2)


def fail(message: str, code: int) -> NoReturn:
    """Ends the command with a message and an exit code."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
