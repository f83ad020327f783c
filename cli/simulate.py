"""``attribution simulate``: seeded events with known truth, sent to Kafka at a rate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.observed import MetricsPort, observed, serving
from cli.simulate_text import progress, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.loadgen_meter import LoadgenMeter
    from loadgen.config import PopulationConfig
    from loadgen.population import Population
    from loadgen.producer import Sender
    from loadgen.run import RunReport

_DEFAULT_EVENTS_PER_DAY = 20_000.0
_DAY_US = 86_400_000_000
#: Day and night move single events by some hours against an even pace.
_SEASON_SLACK_US = _DAY_US // 4


def register(app: typer.Typer) -> None:
    """Add ``simulate``."""
    app.command()(simulate)


def simulate(
    events: Annotated[int, typer.Option(min=0, help="Records to send; 0 with --live: until Ctrl-C.")] = 10_000,
    rate: Annotated[float, typer.Option(min=0, help="Records a second; 0: as fast as possible.")] = 1_000.0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and --start: same events, byte for byte.")] = 1,
    customers: Annotated[int, typer.Option(help="Size of the customer pool.")] = 10_000,
    start: Annotated[str | None, typer.Option(help="When the events begin, ISO-8601 UTC; default: --days ago.")] = None,
    days: Annotated[float, typer.Option(min=0.001, help="Days that the events cover.")] = 30.0,
    live: Annotated[bool, typer.Option("--live", help="Events happen while they are sent, from now on.")] = False,
    duplicates: Annotated[float, typer.Option(help="Share delivered twice.")] = 0.05,
    out_of_order: Annotated[float, typer.Option(help="Share that later events overtake.")] = 0.10,
    late: Annotated[float, typer.Option(help="Share of touches that arrive after their conversion.")] = 0.03,
    late_conversions: Annotated[float, typer.Option(help="Share of conversions that arrive days late.")] = 0.01,
    refunds: Annotated[float, typer.Option(help="Share of the paid conversions.")] = 0.05,
    cancellations: Annotated[float, typer.Option(help="Share of the paid conversions.")] = 0.01,
    restatements: Annotated[float, typer.Option(help="Share of the paid conversions.")] = 0.02,
    malformed: Annotated[float, typer.Option(help="Share of broken records.")] = 0.01,
    avro: Annotated[float, typer.Option(help="Share in Avro; the rest is JSON.")] = 0.20,
    truth: Annotated[Path | None, typer.Option(help="Write what was sent, and its causes, to this file.")] = None,
    bootstrap_servers: Annotated[
        str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="Kafka brokers, host:port.")
    ] = "127.0.0.1:9092",
    workspace: Annotated[
        str, typer.Option(envvar="ATTRIBUTION_WORKSPACE", help="Whose topics the events go to.")
    ] = "default",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print 20 records instead of sending.")] = False,
    pool: Annotated[
        int, typer.Option(min=0, help="Make so many records first and send them over and over, with new ids and times.")
    ] = 0,
    preload: Annotated[bool, typer.Option("--preload", help="Make all records before sending the first.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Summary as one JSON object on stdout.")] = False,
    metrics_port: MetricsPort = None,
) -> None:
    """Send simulated journeys, conversions, refunds, spend and broken records to Kafka."""
    import json
    import signal

    from cli.loadgen_meter import LoadgenMeter
    from loadgen.config import ConfigError, PopulationConfig
    from loadgen.population import Population
    from loadgen.producer import BrokerUnavailableError, DeliveryError, Sender, check_broker
    from loadgen.run import sample
    from schemas.topics import topic_in, topic_of

    telemetry = observed("loadgen", metrics_port)
    _check_pace(events, rate, start, is_live=live, is_sent=not dry_run)
    if pool and preload:
        _fail("--preload: a pool is made before sending in any case; leave out one of --preload and --pool", 2)
    try:
        config = PopulationConfig(
            customers=customers,
            events_per_day=_DEFAULT_EVENTS_PER_DAY if live or events == 0 else max(events / days, 1.0),
            duplicates=duplicates,
            out_of_order=out_of_order,
            late=late,
            late_conversions=late_conversions,
            refunds=refunds,
            cancellations=cancellations,
            restatements=restatements,
            malformed=malformed,
            avro=avro,
            workspace=workspace,
        )
    except ConfigError as error:
        _fail(f"--{error.field.replace('_', '-')}{str(error).removeprefix(error.field)}", 2)
    now_us = _now_us()
    start_us = now_us if live else _start(start, days, events, config, now_us)
    even_rate = rate if live else config.events_per_day * 1e6 / _DAY_US if pool else None
    population = Population(config, seed=seed, start_at_us=start_us, live_rate=even_rate)
    if dry_run:
        for line in sample(population, min(events or 20, 20)):
            print(json.dumps(line))
        return

    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        check_broker(
            bootstrap_servers,
            [topic_in(workspace, topic_of(kind).topic) for kind in ("touchpoint", "conversion", "spend")],
        )
        sender = Sender(bootstrap_servers)
        meter = LoadgenMeter(rate)
        with serving(telemetry, meter.metrics):
            report = _run(
                population,
                sender,
                pool=pool,
                is_live=live,
                is_preloaded=preload,
                events=events or None,
                rate=rate or None,
                truth=truth,
                should_stop=lambda: stopped,
                meter=meter,
            )
    except (BrokerUnavailableError, DeliveryError) as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"--truth={str(truth)!r}: {error.strerror}; give a file in a writable folder", 2)
    print(json.dumps(report.as_dict()) if json_output else summary(report, truth))
    if report.send.is_stopped and events:
        raise typer.Exit(130)


def _run(
    population: Population,
    sender: Sender,
    *,
    pool: int,
    is_live: bool,
    is_preloaded: bool,
    events: int | None,
    rate: float | None,
    truth: Path | None,
    should_stop: Callable[[], bool],
    meter: LoadgenMeter,
) -> RunReport:
    """Send the population, or a pool of it."""
    import time
    from dataclasses import replace

    from loadgen.pool import Pool
    from loadgen.run import run, run_pool

    show = progress()
    if not pool:
        return run(
            population,
            sender,
            events=events,
            rate=rate,
            truth=truth,
            is_preloaded=is_preloaded,
            should_stop=should_stop,
            on_progress=lambda tally: show(tally.records, 0.0),
            on_step=meter.step,
        )
    began = time.perf_counter()
    made = Pool(population, pool)
    generate_rate = len(made) / (time.perf_counter() - began)
    if is_live:
        made.begin_at(_now_us())

    def on_step(sent: int, behind_s: float) -> None:
        meter.step(sent, behind_s)
        show(sent, behind_s)

    report = run_pool(made, sender, events=events, rate=rate, truth=truth, should_stop=should_stop, on_step=on_step)
    return replace(report, generate_rate=generate_rate)


def _now_us() -> int:
    import time

    return time.time_ns() // 1000


def _check_pace(events: int, rate: float, start: str | None, *, is_live: bool, is_sent: bool) -> None:
    if is_live and rate == 0:
        _fail("--rate=0: live events happen as they are sent, so give a rate, for example --rate 500", 2)
    if is_live and start is not None:
        _fail(f"--start={start!r}: live events begin now; leave out --live or --start", 2)
    if events == 0 and is_sent and not is_live:
        _fail("--events=0: only a live stream may be endless; add --live or give a number", 2)


def _start(text: str | None, days: float, events: int, config: PopulationConfig, now_us: int) -> int:
    """First event time; refuses a period that ends in the future, whose events would be rejected."""
    from datetime import UTC, datetime

    span_us = round(events / config.events_per_day * _DAY_US)
    if text is None:
        return now_us - span_us - _SEASON_SLACK_US
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"--start={text!r}: give a date such as 2026-01-31 or 2026-01-31T08:00:00Z", 2)
    start_us = int((at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp() * 1_000_000)
    if start_us + span_us > now_us + _SEASON_SLACK_US:
        _fail(f"--start={text!r}: {days:g} days from there end in the future; start earlier or give fewer --days", 2)
    return start_us


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
