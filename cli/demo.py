"""``attribution demo``: the whole stack, simulated events, and the credits as they move."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    import subprocess

    from cli.demo_screen import Snapshot
    from cli.demo_watch import Conservation
    from embedded.supervisor import Supervisor

TOPICS = ("attribution.touchpoints", "attribution.conversions", "attribution.spend")


def register(app: typer.Typer) -> None:
    """Add ``demo``."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when all events are processed, with a summary.")] = False,
    events: Annotated[int, typer.Option(min=1, help="Events of a --once run.")] = 20_000,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 1_000.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated customers; default: from the clock.")] = 0,
    data_dir: Annotated[Path, typer.Option(help="Where data and logs live; kept between starts.")] = Path("data"),
) -> None:
    """Start everything, send simulated events, show events/s, lag, event age and credits by channel and model."""
    from cli import ui
    from embedded.ports import PortTakenError
    from embedded.supervisor import StackError, StackOptions, Supervisor

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    supervisor = Supervisor(StackOptions(data_dir, ui=ui.is_installed()), lambda line: print(line, flush=True))
    try:
        with supervisor:
            failure = _run(supervisor, began, events if once else 0, rate, seed or int(time.time()))
    except (StackError, PortTakenError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("stopped")
        return
    if failure:
        _fail(failure)


def _run(supervisor: Supervisor, began: float, events: int, rate: float, seed: int) -> str:
    """Send and watch; returns what went wrong, or nothing."""
    from cli.demo_screen import Screen

    shown: Snapshot | None = None
    with _simulator(supervisor, events, rate, seed) as simulator, Screen(_notes(supervisor)) as screen:
        for shown in _looks(supervisor, simulator, began):
            screen.show(shown)
    if shown is None:
        return "nothing was seen"
    if simulator.returncode:
        return (
            f"the simulator ended with code {simulator.returncode}; see {supervisor.options.data_dir}/logs/simulate.log"
        )
    return _summary(supervisor, shown)


def _looks(supervisor: Supervisor, simulator: subprocess.Popen[bytes], began: float) -> Iterator[Snapshot]:
    """Snapshots, about three a second, until the simulator has ended and everything is processed."""
    from cli.demo_screen import Snapshot
    from cli.demo_watch import EventAge, KafkaProgress, Rate, Store

    store, rate, age = Store(_client(supervisor)), Rate(), EventAge()
    kafka = KafkaProgress(supervisor.kafka_bootstrap, "attribution", TOPICS)
    quiet_looks = 0
    with contextlib.closing(kafka):
        while quiet_looks < 3:
            supervisor.poll()
            now = time.time()
            progress = kafka.read()
            rate.add(now, progress.done)
            age.add(now, store.visible(now))
            is_over = simulator.poll() is not None and progress.lag == 0
            quiet_looks = quiet_looks + 1 if is_over else 0
            yield Snapshot(
                at=time.monotonic() - began,
                phase="processed" if is_over else "running",
                progress=progress,
                events_per_second=rate.per_second(),
                p95_age_ms=age.quantile(0.95),
                credits=store.credits(),
                dead_letters=store.dead_letters(),
            )
            time.sleep(0.3)


def _summary(supervisor: Supervisor, last: Snapshot) -> str:
    from cli.demo_watch import Store

    found: Conservation = Store(_client(supervisor)).conservation()
    print(
        f"\n{last.progress.done:,} events, {found.conversions:,} attributed conversions (models x conversions), "
        f"{found.credits:,} credits, {sum(last.dead_letters.values()):,} dead letters {last.dead_letters or ''}"
    )
    print(f"conservation: {found.broken} of {found.conversions:,} do not add up to the micro")
    if found.broken:
        return f"{found.broken} conversions whose credits do not add up"
    return "" if found.conversions else "no conversion was attributed"


@contextlib.contextmanager
def _simulator(supervisor: Supervisor, events: int, rate: float, seed: int) -> Iterator[subprocess.Popen[bytes]]:
    from embedded.process import spawn, stop

    command = [sys.executable, "-P", "-m", "cli", "simulate", "--live", "--events", str(events)]
    command += ["--rate", str(rate), "--seed", str(seed)]
    log = supervisor.options.data_dir / "logs" / "simulate.log"
    process = spawn(command, log=log, env=supervisor.environment)
    try:
        yield process
    finally:
        stop(process)


def _client(supervisor: Supervisor) -> object:
    from clickhouse.client import connect
    from clickhouse.settings import ClickHouseSettings

    return connect(ClickHouseSettings(url=supervisor.clickhouse_url, database=supervisor.options.database))


def _notes(supervisor: Supervisor) -> list[str]:
    from cli import ui
    from cli.local_key import of_data_dir

    performance = f"{supervisor.api_url}/api/v1/analytics/channel-performance"
    sql = "SELECT channel, sum(value_micros)/1e6 FROM credits WHERE model='linear' GROUP BY 1 ORDER BY 2 DESC"
    today = time.strftime("%Y-%m-%d", time.gmtime())
    asked = f"start_date={today}&end_date={today}&attribution_model=linear"
    shown = [f"UI         {supervisor.api_url}{ui.PATH}/"] if supervisor.options.ui else []
    return [
        *shown,
        f"API docs   {supervisor.api_url}/docs",
        f"Key        KEY=$(attribution key show-local{of_data_dir(supervisor.options.data_dir)})",
        f"ROI        curl -H \"X-API-Key: $KEY\" '{performance}?{asked}'",
        f'SQL        curl {supervisor.clickhouse_url}/?database={supervisor.options.database} -d "{sql}"',
    ]


def _fail(message: str) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(1)
