"""``attribution worker`` and ``attribution topics create``."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of the stream."""
    app.command()(worker)
    topics = typer.Typer(help="Kafka topics of the product.", no_args_is_help=True)
    topics.command("create")(create)
    app.add_typer(topics, name="topics")


def worker() -> None:
    """Run one stream worker until SIGTERM or Ctrl-C; settings come from the environment (see .env.example)."""
    from pydantic import ValidationError

    from clickhouse.settings import ClickHouseSettings
    from stream_app.failpoints import FailpointError
    from stream_app.settings import WorkerSettings
    from stream_app.settings_errors import explain
    from stream_app.topics import TopicError
    from stream_app.worker import run_worker

    try:
        settings, clickhouse = WorkerSettings(), ClickHouseSettings()
    except ValidationError as error:
        _fail(explain(error, WorkerSettings), 2)
    try:
        run_worker(settings, clickhouse)
    except FailpointError as error:
        _fail(str(error), 2)
    except TopicError as error:
        _fail(str(error), 1)


def create(
    partitions: Annotated[
        int | None, typer.Option(help="Partitions of every topic; default: as in schemas/topics.")
    ] = None,
    replication: Annotated[int, typer.Option(help="Replication factor.")] = 1,
) -> None:
    """Create the topics that are missing, with the configuration of schemas/topics."""
    from stream_app.settings import WorkerSettings
    from stream_app.topics import TopicError, create_topics

    try:
        created = create_topics(WorkerSettings().bootstrap_servers, partitions=partitions, replication=replication)
    except TopicError as error:
        _fail(str(error), 1)
    for name, is_new in created.items():
        print(f"{name}: {'created' if is_new else 'exists'}")


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
