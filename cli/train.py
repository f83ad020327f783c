"""``attribution train``: fit the data-driven model to the journeys of the active run and publish it.

Exit codes: 0 published (or shown, with ``--dry-run``), 1 store or broker cannot do it, 2 wrong input.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, cast

import typer

from cli.store import connected

if TYPE_CHECKING:
    from datadriven.parameters import Method, Parameters

_US: Final = 1_000_000
METHODS: Final = ("markov", "shapley", "ordered_shapley", "learned")
#: As `schemas/topics/models.yaml` has it.
_LARGEST_RECORD: Final = 1_200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """One training: what is asked of it, and when what it finds counts."""

    method: Method
    order: int
    positions: int
    half_life_days: float
    days: float
    closed_days: float | None
    types: tuple[str, ...]
    minimum: int
    fallback: str
    replicates: int
    lead_s: float


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    method: Annotated[str, typer.Option(help="markov, shapley, ordered_shapley or learned.")] = "markov",
    order: Annotated[int, typer.Option(min=1, max=3, help="Touches that a Markov state remembers.")] = 1,
    positions: Annotated[
        int, typer.Option(min=1, max=10, help="Ranks that ordered_shapley tells apart; later ones share the last.")
    ] = 4,
    half_life_days: Annotated[
        float, typer.Option(min=0.01, max=365, help="In which a touch loses half of its weight; learned.")
    ] = 7,
    days: Annotated[float, typer.Option(min=1, max=3650, help="Days of journeys, back from the watermark.")] = 90,
    closed_after_days: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="A journey without a conversion is over so long after its touch. Default: the lookback."
        ),
    ] = None,
    conversion_type: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    minimum: Annotated[int, typer.Option(min=1, help="Fewer conversions are too few: the fallback stands in.")] = 300,
    fallback: Annotated[str, typer.Option(help="Model that stands in when the data do not suffice.")] = "linear",
    replicates: Annotated[int, typer.Option(min=0, max=1000, help="Of the bootstrap behind the intervals.")] = 200,
    lead: Annotated[
        float, typer.Option(min=0, help="Seconds from now until the fit counts, so that every worker has it by then.")
    ] = 60,
    every: Annotated[str, typer.Option(help="Again and again: 30m, 1h, 1d. Default: once.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the fit, publish nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The fit as JSON.")] = False,
) -> None:
    """Fit the data-driven model to the journeys of the shown run and publish it to the workers."""
    from attribution.errors import AttributionError
    from attribution.models.registry import resolve

    kind = _method(method)
    try:
        fallback = resolve(fallback).model_id
    except AttributionError as error:
        _fail(f"error: --fallback: {error}", 2)
    types = tuple(conversion_type or ())
    plan = Plan(
        kind, order, positions, half_life_days, days, closed_after_days, types, minimum, fallback, replicates, lead
    )
    pause_s = _seconds(every) if every else 0.0
    stop = threading.Event()
    while True:
        began = time.monotonic()
        try:
            _once(plan, dry_run=dry_run, as_json=as_json)
        except typer.Exit:  # said already; with --every the next turn tries again
            if not every:
                raise
        if not every or stop.wait(max(0.0, pause_s - (time.monotonic() - began))):
            return


def _once(plan: Plan, *, dry_run: bool, as_json: bool) -> None:
    from cli.fit_text import shown
    from datadriven.parameters import encode

    with connected() as client:
        parameters = fitted(client, plan, now_us=time.time_ns() // 1_000)
        if not dry_run:
            _publish(client, parameters)
    if as_json:
        print(json.dumps(json.loads(encode(parameters)), indent=2), flush=True)
    else:
        print(shown(parameters, is_published=not dry_run), flush=True)


def fitted(client: Any, plan: Plan, *, now_us: int) -> Parameters:
    """Train on the active run: journeys that ended in the days before the watermark, or before now if that is earlier.

    Raises:
        StoreError: the store does not answer, or the run has no parameters yet.
    """
    from functools import partial

    from attribution.config import DAY_US, config_in
    from cli.fitting import Asked, fit
    from clickhouse import queries, standing
    from clickhouse.errors import RunError
    from clickhouse.training import Period, staged
    from datadriven.bootstrap import poisson_thresholds
    from datadriven.fit import Terms

    (run,) = queries.run(client, "explain_config")
    config = config_in(run["config"])
    if config is None:
        raise RunError("the run has no parameters yet; start its worker, which records them")
    if "data_driven" not in config.models:
        typer.echo(
            "warning: the workers do not compute data_driven; add it to ATTRIBUTION_DEFAULT_MODELS and restart them",
            err=True,
        )
    state = standing.read(partial(queries.run, client))
    reached_us = now_us if state.watermark is None else min(now_us, round(state.watermark.timestamp() * _US))
    closed_us = config.lookback_us if plan.closed_days is None else round(plan.closed_days * DAY_US)
    start_us = max(0, reached_us - round(plan.days * DAY_US))
    terms = Terms(start_us, reached_us, now_us + round(plan.lead_s * _US), plan.minimum, plan.fallback)
    period = Period(state.run_id, start_us, reached_us, closed_us, plan.types, sorted(config.folded_exclusions))
    with staged(client, period, replicates=plan.replicates, thresholds=poisson_thresholds()) as stage:
        half_life_us = round(plan.half_life_days * DAY_US)
        return fit(stage, Asked(plan.method, plan.order, plan.replicates, plan.positions, half_life_us), terms)


def _publish(client: Any, parameters: Parameters) -> None:
    """To the workers first: what the store has, the workers have been told."""
    from confluent_kafka import KafkaException

    from clickhouse.fits import StoredFit, record
    from datadriven.parameters import encode
    from stream_app.producing import careful_producer
    from stream_app.settings import WorkerSettings

    settings, failed = WorkerSettings(), list[Any]()
    value = encode(parameters)
    producer = careful_producer(settings.bootstrap_servers, max_bytes=_LARGEST_RECORD, log_level=0)

    def on_delivery(error: Any, _message: Any) -> None:
        if error is not None:
            failed.append(error)

    try:
        producer.produce(settings.models_topic, value, parameters.version.encode(), on_delivery=on_delivery)
        left = producer.flush(35)
    except KafkaException as error:
        _fail(f"error: {settings.models_topic}: {error.args[0].str()}; nothing was published", 1)
    if left or failed:
        why = failed[0].str() if failed else "no broker answers"
        _fail(f"error: {settings.models_topic}: {why}; nothing was published; check KAFKA_BOOTSTRAP_SERVERS", 1)
    record(
        client,
        StoredFit(
            parameters.version,
            parameters.effective_from_us,
            time.time_ns() // 1_000,
            parameters.method,
            parameters.status,
            parameters.conversions,
            parameters.nulls,
            value,
        ),
    )


def _method(name: str) -> Method:
    if name not in METHODS:
        _fail(f"error: --method={name!r}: give one of {', '.join(METHODS)}", 2)
    if name == "learned" and find_spec("sklearn") is None:
        _fail("error: --method='learned': needs scikit-learn; install the extra `learn`", 2)
    return cast("Method", name)


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    try:
        found = float(number) * units[unit]
    except (KeyError, ValueError):
        found = 0.0
    if not 10 <= found <= 366 * 86_400:
        _fail(f"error: --every={text!r}: give a time from 10s to 366d, such as 30m, 1h or 1d", 2)
    return found


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
