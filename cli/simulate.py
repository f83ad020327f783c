"""``attribution simulate``: seeded events with known truth, sent to Kafka at a rate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.config import PopulationConfig
    from loadgen.run import RunReport
    from loadgen.tally import Tally

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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print 20 records instead of sending.")] = False,
    preload: Annotated[bool, typer.Option("--preload", help="Make all records before sending the first.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Summary as one JSON object on stdout.")] = False,
) -> None:
    """Send simulated journeys, conversions, refunds, spend and broken records to Kafka."""
    import json
    import signal
    from datetime import UTC, datetime

    from loadgen.config import ConfigError, PopulationConfig
    from loadgen.population import Population
    from loadgen.producer import BrokerUnavailableError, DeliveryError, Sender, check_broker
    from loadgen.run import run, sample
    from schemas.topics import topic_of

    _check_pace(events, rate, start, is_live=live, is_sent=not dry_run)
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
        )
    except ConfigError as error:
        _fail(f"--{error.field.replace('_', '-')}{str(error).removeprefix(error.field)}", 2)
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    start_us = now_us if live else _start(start, days, events, config, now_us)
    population = Population(config, seed=seed, start_at_us=start_us, live_rate=rate if live else None)
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
        check_broker(bootstrap_servers, [topic_of(kind).topic for kind in ("touchpoint", "conversion", "spend")])
        report = run(
            population,
            Sender(bootstrap_servers),
            events=events or None,
            rate=rate or None,
            truth=truth,
            is_preloaded=preload,
            should_stop=lambda: stopped,
            on_progress=_progress(),
        )
    except (BrokerUnavailableError, DeliveryError) as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"--truth={str(truth)!r}: {error.strerror}; give a file in a writable folder", 2)
    print(json.dumps(report.as_dict()) if json_output else _summary(report, truth))
    if report.send.is_stopped and events:
        raise typer.Exit(130)


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


def _progress() -> Callable[[Tally], None]:
    """A line on the terminal every two seconds; nothing when stderr is not one."""
    import time

    if not sys.stderr.isatty():
        return lambda _tally: None
    last_at, last_count = time.monotonic(), 0

    def show(tally: Tally) -> None:
        nonlocal last_at, last_count
        now = time.monotonic()
        if now - last_at >= 2:
            print(
                f"{tally.records:,} records, {(tally.records - last_count) / (now - last_at):,.0f}/s", file=sys.stderr
            )
            last_at, last_count = now, tally.records

    return show


def _summary(report: RunReport, truth: Path | None) -> str:
    tally, send = report.tally, report.send
    valid = ", ".join(
        f"{count:,} {kind}s" if kind != "spend" else f"{count:,} spend" for kind, count in sorted(tally.valid.items())
    )
    lines = [
        f"{tally.records:,} records in {send.seconds:.1f} s ({send.achieved_rate:,.0f}/s"
        + (
            f", target {send.target_rate:,.0f}/s, at most {send.max_behind_s * 1000:,.0f} ms behind)"
            if send.target_rate
            else ")"
        ),
        f"{valid}; {tally.duplicates:,} delivered twice, {tally.malformed.total():,} malformed",
    ]
    if report.generate_rate:
        lines.append(f"made before sending at {report.generate_rate:,.0f}/s")
    if truth:
        lines.append(f"truth: {truth}")
    return "\n".join(lines)


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
