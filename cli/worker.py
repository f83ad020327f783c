"""``attribution worker`` and ``attribution topics create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.follow import Follower
from cli.observed import MetricsPort, fail, observed
from stream_app.exits import RUN_CHANGED

if TYPE_CHECKING:
    from clickhouse.run import Run
    from clickhouse.settings import ClickHouseSettings
    from stream_app.settings import WorkerSettings


def register(app: typer.Typer) -> None:
    """Add the commands of the stream."""
    app.command()(worker)
    topics = typer.Typer(help="Kafka topics of the product.", no_args_is_help=True)
    topics.command("create")(create)
    app.add_typer(topics, name="topics")


def worker(
    run: Annotated[
        str,
        typer.Option(
            help="Run to compute, by name, with the parameters it was made with; `active`: the one that is shown, "
            "ending with code 77 when another is promoted. Default: the run that the environment describes."
        ),
    ] = "",
    metrics_port: MetricsPort = None,
) -> None:
    """Run one stream worker until SIGTERM or Ctrl-C; settings come from the environment (see .env.example)."""
    from pydantic import ValidationError

    from cli.run_settings import RunSettingsError
    from clickhouse.errors import StoreError
    from clickhouse.settings import ClickHouseSettings
    from stream_app.failpoints import FailpointError
    from stream_app.settings import WorkerSettings
    from stream_app.settings_errors import explain
    from stream_app.topics import TopicError
    from stream_app.worker import run_worker
    from telemetry.server import MetricsPortError

    telemetry = observed("worker", metrics_port)
    try:
        base, clickhouse = WorkerSettings(), ClickHouseSettings.of_environment()
    except ValidationError as error:
        fail(explain(error, WorkerSettings), 2)
    try:
        settings, follower = _for_run(run, base, clickhouse)
    except (StoreError, RunSettingsError) as error:
        fail(str(error), 1)
    if follower is not None:
        follower.start()
    try:
        run_worker(settings, clickhouse, telemetry=telemetry, ready_dir=base.data_dir)
    except (FailpointError, MetricsPortError) as error:
        fail(str(error), 2)
    except TopicError as error:
        fail(str(error), 1)
    except SystemExit:
        if follower is not None and follower.has_moved:
            raise typer.Exit(RUN_CHANGED) from None
        raise


def _for_run(name: str, base: WorkerSettings, clickhouse: ClickHouseSettings) -> tuple[WorkerSettings, Follower | None]:
    """Settings for the named run, and who watches for a change of the active one.

    Every run but the environment's keeps its state in a folder of its own below the data directory.

    Raises:
        RunError: there is no such run, or nobody can feed it.
        SinkUnavailable: ClickHouse does not answer.
        RunSettingsError: the run's parameters are not known to this program.
    """
    from cli.run_settings import fed_run, settings_of
    from clickhouse.client import connect
    from clickhouse.errors import RunError
    from clickhouse.runs import Runs

    if not name:
        return base, None
    runs = Runs(connect(clickhouse))
    found = fed_run(runs.active(), base) if name == "active" else runs.get(name)
    follower = None
    if name == "active":
        follower = Follower(lambda: _id(fed_run(runs.active(), base), base), _id(found, base))
    if found is None or found.run_id == base.run_id:
        return base, follower
    if not found.group_id:
        raise RunError(f"run {found.name} was made from the facts: no worker can go on with it")
    settings = settings_of(found, base)
    return settings.model_copy(update={"data_dir": base.data_dir / f"run-{found.run_id}"}), follower


def _id(run: Run | None, base: WorkerSettings) -> int:
    return base.run_id if run is None else run.run_id


def create(
    partitions: Annotated[
        int | None, typer.Option(help="Partitions of every topic; default: as in schemas/topics.")
    ] = None,
    replication: Annotated[int, typer.Option(help="Replication factor.")] = 1,
) -> None:
    """Create the topics that are missing, with the configuration of schemas/topics, and register the schemas."""
    from cli.schemas import publish
    from stream_app.settings import WorkerSettings
    from stream_app.topics import TopicError, create_topics

    try:
        settings = WorkerSettings()
        created = create_topics(
            settings.bootstrap_servers, partitions=partitions, replication=replication, workspace=settings.workspace
        )
    except TopicError as error:
        fail(str(error), 1)
    for name, is_new in created.items():
        print(f"{name}: {'created' if is_new else 'exists'}")
    found = publish()
    print(f"schemas: not registered: {found}" if isinstance(found, str) else f"schemas: {len(found)} are registered")
