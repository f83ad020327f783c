"""``attribution bench import``: how fast events go in over ``POST /api/v1/data/…``, and whether all of them arrive."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadgen.population import Population

_DAY_US = 86_400_000_000
_TIMEOUT_S = 1_800.0


def register(group: typer.Typer) -> None:
    """Add ``import`` to the group ``bench``."""
    group.command("import")(import_)


def import_(
    events: Annotated[int, typer.Option(min=1, help="Touchpoints and conversions.")] = 1_000_000,
    connections: Annotated[int, typer.Option(min=1, max=64, help="That send at the same time.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the events.")] = 1,
    days: Annotated[float, typer.Option(min=0.1, help="Days that the events cover.")] = 30.0,
    skip_credits: Annotated[
        bool, typer.Option("--skip-credits", help="Only the way into Kafka, without worker and comparison.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Starts broker, engine and API, posts NDJSON in gzip, 10,000 events a call, then runs a worker and compares.

    The import is measured before the worker starts: both would share this machine. Compared are number, ids and sums
    of what arrived, and every credit with the batch. Exit code 1: something differs, or a part did not start.
    """
    from embedded.broker import BrokerError
    from embedded.clickhouse import ClickHouseError
    from stream_app.topics import TopicError

    try:
        with tempfile.TemporaryDirectory(prefix="import-") as name:
            found = _run(Path(name), _population(events, seed, days), events, connections, skip_credits=skip_credits)
    except (BrokerError, ClickHouseError, TopicError, RuntimeError, TimeoutError) as error:
        typer.echo(f"attribution: {error}", err=True)
        raise typer.Exit(1) from None
    print(json.dumps(found, indent=2) if as_json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _population(events: int, seed: int, days: float) -> Population:
    from loadgen.config import PopulationConfig
    from loadgen.population import Population

    config = PopulationConfig(customers=max(events // 10, 10), events_per_day=events / days, malformed=0.0, avro=0.0)
    start_at_us = time.time_ns() // 1_000 - round((days + 1) * _DAY_US)
    return Population(config, seed=seed, start_at_us=start_at_us)


def _run(folder: Path, population: Population, events: int, connections: int, *, skip_credits: bool) -> dict[str, Any]:
    from cli import import_load
    from cli.local_key import key_header
    from clickhouse.migrate import migrate
    from clickhouse.settings import ClickHouseSettings
    from embedded.broker import Broker
    from embedded.clickhouse import ClickHouse
    from embedded.ports import free_port
    from stream_app.topics import create_topics

    calls = list(import_load.calls_of(import_load.taken(population, events)))
    _say(f"{events:,} events in {len(calls)} calls are made")
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder / "kafka", log=folder / "kafka.log"))
        engine = stack.enter_context(ClickHouse(folder / "clickhouse", log=folder / "clickhouse.log"))
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "CLICKHOUSE_URL": engine.url,
            "ATTRIBUTION_ACCOUNTS_DIR": str(folder / "accounts"),
            "ATTRIBUTION_DATA_DIR": str(folder / "state"),
        }
        settings = ClickHouseSettings(url=engine.url)
        migrate(settings)
        create_topics(broker.bootstrap)
        port = free_port()
        api = _start(stack, folder / "api.log", environment, "api", "--port", str(port))
        _wait_for_api(port, folder / "api.log")
        sent = import_load.send(port, api, key_header(environment), calls, connections)
        calls.clear()
        _say(f"{sent.events / sent.seconds:,.0f} events/s at the HTTP edge")
        found = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "connections": connections, **sent.as_dict()}
        _check_broker(broker.bootstrap, events)
        if not skip_credits:
            began = time.monotonic()
            worker = _start(stack, folder / "worker.log", environment, "worker")
            _wait_for_worker(broker.bootstrap, folder / "worker.log")
            found["worker_seconds"] = round(time.monotonic() - began, 1)
            found["worker_cpu_s_per_million"] = round(import_load.cpu_seconds(worker) / events * 1e6, 2)
            found |= _compare(settings, population.again(), events)
    return found


def _compare(settings: Any, population: Population, events: int) -> dict[str, Any]:
    from cli.import_check import Truth, check
    from cli.import_load import taken
    from clickhouse.client import connect
    from stream_app.settings import WorkerSettings

    truth = Truth(taken(population, events))
    client = connect(settings)
    try:
        rows = check(client, truth, WorkerSettings().attribution_config())
    finally:
        client.close()
    facts = {f"{kind}s": found._asdict() for kind, found in truth.facts.items()}
    return {"equal": True, **facts, "conversions_compared": rows}


def _start(stack: ExitStack, log: Path, environment: Mapping[str, str], *words: str) -> int:
    from embedded.process import spawn, stop

    process = spawn([sys.executable, "-P", "-m", "cli", *words], log=log, env=environment)
    stack.callback(stop, process)
    return process.pid


def _wait_for_api(port: int, log: Path) -> None:
    from embedded.clickhouse import pings
    from embedded.process import tail

    deadline = time.monotonic() + 60
    while not pings(port, "/health"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the API did not start; end of its log:\n{tail(log)}")
        time.sleep(0.1)


def _check_broker(servers: str, events: int) -> None:
    from cli.bench_load import Backlog

    with Backlog(servers, "import-look") as backlog:
        _, there = backlog.read()
    if there != events:
        raise RuntimeError(f"the topics hold {there} records, sent were {events}")


def _wait_for_worker(servers: str, log: Path) -> None:
    from cli.bench_load import Backlog, LoadError
    from embedded.process import tail
    from stream_app.settings import WorkerSettings

    with Backlog(servers, WorkerSettings().group_id) as backlog:
        try:
            backlog.wait(0, _TIMEOUT_S, lambda: None)
        except LoadError as error:
            raise TimeoutError(f"{error}; end of the worker's log:\n{tail(log)}") from None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
