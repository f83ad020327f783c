"""``attribution bench freshness``: how long after it was due an event is visible, measured by canaries under load."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.freshness_text import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.freshness_run import Endpoints

#: Exit code when a canary is missing, late or counted twice.
NOT_FRESH = 3


def register(group: typer.Typer) -> None:
    """Add ``freshness`` to the group ``bench``."""
    group.command()(freshness)


def freshness(
    rate: Annotated[
        float, typer.Option(min=0, help="Background records a second; 0 with --idle, else half of the maximum.")
    ] = 0.0,
    idle: Annotated[bool, typer.Option("--idle", help="No background load.")] = False,
    canaries: Annotated[float, typer.Option(min=0.1, max=200, help="Canaries a second.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long canaries are sent.")] = 60.0,
    deadline: Annotated[
        float, typer.Option(min=1, help="A canary older than this is late, and waited for so long.")
    ] = 30.0,
    look_every: Annotated[float, typer.Option(min=0.01, max=1, help="Seconds between two looks at one place.")] = 0.05,
    places: Annotated[str, typer.Option(help="Where to look, comma-separated.")] = "credits,rollup,rest",
    calibrate: Annotated[int, typer.Option(min=1_000, help="Records for measuring the maximum.")] = 1_500_000,
    workers: Annotated[int, typer.Option(min=1, max=4, help="Of the stack that is started.")] = 1,
    stack: Annotated[
        Path | None, typer.Option(help="Data directory of a running `attribution up`; default: start one.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where the numbers go, as JSON.")] = Path("freshness.json"),
) -> None:
    """Send canaries on a fixed schedule under load and time until ClickHouse and the API show them.

    Exit code 3: a canary is missing, late or counted twice.
    """
    from cli.bench_load import LoadError
    from cli.freshness_run import PLACES, Wanted, measure
    from embedded.ports import PortTakenError
    from embedded.supervisor import StackError
    from stream_app.topics import TopicError

    chosen = tuple(dict.fromkeys(p.strip() for p in places.split(",") if p.strip()))
    if unknown := [p for p in chosen if p not in PLACES] or not chosen:
        _fail(f"--places={places!r}: choose from {', '.join(PLACES)}" + (f", not {unknown}" if chosen else ""), 2)
    if idle and rate:
        _fail(f"--rate={rate:g}: --idle has no load; leave out one of them", 2)
    wanted = Wanted(
        rate=0.0 if idle else rate or None,
        canaries=canaries,
        seconds=seconds,
        deadline_s=deadline,
        places=chosen,
        look_s=look_every,
        calibrate=calibrate,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="freshness-") as name,
            _running(stack, Path(name), workers) as endpoints,
        ):
            outcome = measure(endpoints, wanted, Path(name), _say)
    except (LoadError, StackError, PortTakenError, TopicError, RuntimeError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    found: dict[str, Any] = {
        "settings": outcome.settings,
        "machine": {"cores": os.cpu_count(), "load_average": [round(x, 2) for x in os.getloadavg()]},
        "load": outcome.load,
        "places": outcome.places,
        "epochs": outcome.epochs,
        "stages": outcome.stages,
        "complete": outcome.is_complete,
    }
    try:
        output.write_text(json.dumps(found, indent=2) + "\n")
    except OSError as error:
        print(json.dumps(found))
        _fail(f"--output={str(output)!r}: {error.strerror}; the numbers are above", 2)
    print(table(found))
    print(f"numbers: {output}")
    if not outcome.is_complete:
        raise typer.Exit(NOT_FRESH)


@contextmanager
def _running(data_dir: Path | None, folder: Path, workers: int) -> Iterator[Endpoints]:
    """The stack of a data directory, or one of our own.

    Raises:
        StackError: there is none, or it does not come up.
    """
    from cli.freshness_run import Endpoints
    from embedded.supervisor import StackError, StackOptions, Supervisor
    from stream_app.settings import WorkerSettings

    group_id = WorkerSettings().group_id
    if data_dir is not None:
        try:
            state = json.loads((data_dir / "stack.json").read_text())
        except (OSError, ValueError):
            raise StackError(f"no stack is running over {data_dir}: start it with `attribution up`") from None
        logs = sorted((data_dir / "logs").glob("worker-*.log"))
        yield Endpoints({k: v for k, v in state.items() if k.isupper()}, state["api_url"], group_id, logs)
        return
    os.environ.setdefault("ATTRIBUTION_LOG_LEVEL", "info")
    options = StackOptions(folder / "data", workers=workers)
    supervisor = Supervisor(options, _say)
    with supervisor:
        logs = [options.data_dir / "logs" / f"worker-{i}.log" for i in range(workers)]
        yield Endpoints(supervisor.environment, supervisor.api_url, group_id, logs, supervisor.poll)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
