"""``attribution replay``: everything computed anew into a run beside the one that is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from cli.replay_job import Request

DataDir = Annotated[Path, typer.Option(help="Where the local stack keeps its data; replays get a folder in it.")]


def register(app: typer.Typer) -> None:
    """Add ``replay``."""
    app.command()(replay)


def replay(
    name: Annotated[str, typer.Option("--as", help="Name of the new run; the same again goes on with it.")],
    since: Annotated[str, typer.Option("--from", help="First time of conversion, a date or ISO-8601, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", help="Conversions before this time.")] = "",
    config: Annotated[Path | None, typer.Option(help="YAML or JSON file with parameters, see docs/replay.md.")] = None,
    half_life_days: Annotated[float | None, typer.Option(help="Half-life of time_decay.")] = None,
    lookback_days: Annotated[
        float | None, typer.Option(help="Days before a conversion in which touches count.")
    ] = None,
    exclude_channels: Annotated[
        str | None, typer.Option("--exclude-channel", "--exclude-channels", help="Channels that get nothing, by comma.")
    ] = None,
    models: Annotated[str | None, typer.Option(help="Models, by comma.")] = None,
    source: Annotated[str, typer.Option(help="auto, topics, or facts (the raw events in ClickHouse).")] = "auto",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes, when read from the topics.")] = 1,
    data_dir: DataDir = Path("data"),
) -> None:
    """Compute all credits anew, with other parameters if you like, into a run of its own; what is shown stays.

    Parameters that are not named are those of the run that is shown. Ctrl-C stops; the same command goes on.
    """
    from cli.replay_config import ReplayConfigError, overrides
    from cli.replay_job import ReplayError, Request
    from cli.run_settings import RunSettingsError
    from clickhouse.errors import StoreError
    from stream_app.topics import TopicError

    options = {
        "half_life_days": half_life_days,
        "lookback_window_days": lookback_days,
        "exclude_channels": exclude_channels,
        "models": models,
    }
    try:
        _run(Request(name, since, until, overrides(config, options), source, workers, data_dir))
    except (ReplayConfigError, RunSettingsError) as error:
        _fail(str(error), 2)
    except (ReplayError, StoreError, TopicError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on", 130)


def _run(request: Request) -> None:
    import signal

    from pydantic import ValidationError

    from cli.replay_job import Job
    from clickhouse.client import connect
    from clickhouse.settings import ClickHouseSettings
    from stream_app.settings import WorkerSettings
    from stream_app.settings_errors import explain

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        base, clickhouse = WorkerSettings(), ClickHouseSettings.of_environment()
    except ValidationError as error:
        _fail(explain(error, WorkerSettings), 2)
    Job(request, base, connect(clickhouse), lambda line: print(line, flush=True)).run()


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
