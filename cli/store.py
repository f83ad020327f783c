"""``attribution migrate``, and the connection to the store that commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from clickhouse.migrate import Migration, State
    from clickhouse.settings import ClickHouseSettings


def register(app: typer.Typer) -> None:
    """Adds ``migrate``."""
    app.command()(migrate)


def migrate(
    action: Annotated[str, typer.Argument(help="apply, or status to look only.")] = "apply",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statements, change nothing.")] = False,
    cluster: Annotated[
        str,
        typer.Option(
            envvar="CLICKHOUSE_CLUSTER",
            help="Make replicated tables on every server of this cluster (docs/deployment.md). Default: on this one.",
        ),
    ] = "",
) -> None:
    """Brings the ClickHouse database to this version's tables and views."""
    from clickhouse import migrate as migrations
    from clickhouse.cluster import check_cluster
    from clickhouse.errors import MigrationError, StoreError

    if action not in {"apply", "status"}:
        _fail(f"ACTION={action!r}: choose apply or status", 2)
    settings = read_settings()
    try:
        if cluster:
            check_cluster(cluster)
        if action == "status":
            _show_states(migrations.status(settings))
            return
        changed = migrations.migrate(settings, dry_run=dry_run, cluster=cluster)
        _show_changes(changed, cluster, dry_run=dry_run)
    except (MigrationError, ValueError) as error:
        _fail(str(error), 2)
    except StoreError as error:
        _fail(str(error), 1)
    if not changed:
        print(f"database {settings.database} is up to date")


def _show_states(states: list[State]) -> None:
    for state in states:
        applied = f"{state.applied_at:%Y-%m-%d %H:%M:%S} UTC" if state.applied_at else "pending"
        print(f"{state.migration.version:04} {state.migration.name:<24} {applied}")


def _show_changes(changed: list[Migration], cluster: str, *, dry_run: bool) -> None:
    from clickhouse.cluster import spread

    for migration in changed:
        print(f"{'would apply' if dry_run else 'applied'} {migration.version:04} {migration.name}")
        for step in migration.on(cluster) if dry_run else ():
            guard = f"-- only if: {step.only_if}\n" if step.only_if else ""
            print(f"{guard}{step.statement};", end="\n\n")
    if dry_run and cluster and changed:
        print("\n\n".join(f"{statement};" for statement in spread(cluster)))


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
        _fail(f"error: {error}", 1)


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
        _fail("; ".join(lines), 2)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
