"""``attribution workspace``: a name, a ClickHouse database and topics of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.open_accounts import Json, fail, now, opened, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    workspaces = typer.Typer(help="Tenants: each has a database and topics of its own.", no_args_is_help=True)
    workspaces.command()(create)
    workspaces.command("list")(list_workspaces)
    app.add_typer(workspaces, name="workspace")


def create(
    name: Annotated[str, typer.Argument(help="Small letters and digits, like acme.")],
    replication: Annotated[int, typer.Option(min=1, help="Replication factor of its topics.")] = 1,
    as_json: Json = False,
) -> None:
    """Make the database, the topics and the name, in this order; what is there already is left. Then start its worker.

    Workers and the roller of a workspace run beside those of others: `attribution --workspace NAME worker`.
    """
    from accounts.workspaces import check_name
    from clickhouse.errors import MigrationError, StoreError
    from clickhouse.migrate import migrate
    from clickhouse.settings import ClickHouseSettings
    from stream_app.settings import WorkerSettings
    from stream_app.topics import TopicError, create_topics

    with opened() as accounts:
        check_name(name)
        settings = ClickHouseSettings().of_workspace(name)
        try:
            applied = migrate(settings)
            topics = create_topics(WorkerSettings().bootstrap_servers, replication=replication, workspace=name)
        except (MigrationError, StoreError, TopicError) as error:
            fail(str(error), 1)
        is_new = accounts.workspaces.add(name, now=now())
        made = {
            "name": name,
            "is_new": is_new,
            "database": settings.database,
            "migrations_applied": len(applied),
            "topics_created": [topic for topic, created in topics.items() if created],
        }
        text = (
            f"{name}: database {settings.database}, {len(topics)} topics\nnext: attribution --workspace {name} worker"
        )
        show(as_json, made, text)


def list_workspaces(as_json: Json = False) -> None:
    """Every workspace."""
    with opened() as accounts:
        found = accounts.workspaces.names()
        show(as_json, found, "\n".join(found))
