"""``attribution up``, ``down`` and ``doctor``: the local stack and its health."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

DataDir = Annotated[Path, typer.Option(help="Where data and logs live; kept between starts.")]
#: How long ``down`` waits: the parts of ``up`` end one after the other, a worker that is stuck after 30 s.
_STOP_S: Final = 180.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(doctor)


def up(
    data_dir: DataDir = Path("data"),
    kafka_port: Annotated[int, typer.Option(help="0: 9092, or the next free one.")] = 0,
    clickhouse_port: Annotated[int, typer.Option(help="0: 8123, or the next free one.")] = 0,
    api_port: Annotated[int, typer.Option(help="0: 8000, or the next free one.")] = 0,
    metrics_port: Annotated[
        int, typer.Option(help="Of the roller, workers take the next ones. 0: 9101, or the next free ones.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, max=4, help="Worker processes.")] = 1,
) -> None:
    """Run Kafka, ClickHouse, workers the API and the web UI until Ctrl-C; prints `ready` when events may come."""
    from cli import ui
    from cli.local_key import local_key, of_data_dir
    from embedded.ports import PortTakenError
    from embedded.supervisor import StackError, StackOptions, Supervisor

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = StackOptions(data_dir, kafka_port, clickhouse_port, api_port, metrics_port, workers, ui=ui.is_installed())
    supervisor = Supervisor(options, lambda line: print(line, flush=True))
    try:
        had_key = (supervisor.accounts_dir / "local.key").exists()
        supervisor.start()
        shown = f"{supervisor.api_url}{ui.PATH}/" if options.ui else f"none: {ui.MISSING}"
        print(f"ready\n  UI    {shown}\n  API   {supervisor.api_url}/docs\n  Kafka {supervisor.kafka_bootstrap}")
        print(f"  SQL   {supervisor.clickhouse_url}/?database=attribution")
        print(f"  Prometheus finds all parts in {supervisor.targets_file} (deploy/prometheus/local.yml)")
        print(f"  Key   attribution key show-local{of_data_dir(data_dir)}", flush=True)
        if not had_key and sys.stdout.isatty():
            print(f"  made at this first start: {local_key(supervisor.accounts_dir)}", flush=True)
        while True:
            supervisor.poll()
            time.sleep(0.5)
    except (StackError, PortTakenError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        print("stopping", flush=True)
    finally:
        supervisor.stop()


def down(data_dir: DataDir = Path("data")) -> None:
    """Stop the stack that `attribution up` runs over the same data directory."""
    try:
        pid = int(json.loads((data_dir / "stack.json").read_text())["pid"])
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError, KeyError):
        print(f"no stack is running over {data_dir}")
        return
    deadline = time.monotonic() + _STOP_S
    while (data_dir / "stack.json").exists():
        if time.monotonic() > deadline:
            _fail(f"process {pid} does not stop; see {data_dir}/logs")
        time.sleep(0.1)
    print("stopped")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    data_dir: DataDir = Path("data"),
) -> None:
    """Check broker, topics, partitioner, ClickHouse, clock, disk and ports; each failure names its fix."""
    from cli.doctor import run_checks

    results = run_checks(data_dir)
    if as_json:
        print(json.dumps({r.name: {"ok": r.is_ok, "found": r.found, "fix": r.fix} for r in results}, indent=2))
    else:
        for r in results:
            print(f"{'ok  ' if r.is_ok else 'FAIL'} {r.name:<12} {r.found}" + (f"\n     fix: {r.fix}" if r.fix else ""))
    if not all(r.is_ok for r in results):
        raise typer.Exit(1)


def _fail(message: str) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(1)
