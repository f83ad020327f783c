"""One worker process: build the application, run it, say when it is ready, stop it loudly when it must not go on."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import faust
from mode import get_logger

from attribution._compiled import DESCRIPTION
from attribution.fitted import NO_FITS
from attribution.journey_bytes import UnknownJourneyFormatError
from attribution.models.registry import resolve
from clickhouse.client import connect
from clickhouse.erasure import Eraser
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer, with_backoff
from stream_app import failpoints
from stream_app.app import create_app
from stream_app.dead_letter_limits import TooManyInvalidError
from stream_app.exits import FAIL_STOP, LIMIT_STOP, NEWER_STATE
from stream_app.fits import FitReader
from stream_app.lag import LagReader
from stream_app.lag_probe import has_unread
from stream_app.measuring import WorkerMeter
from stream_app.readiness import WHY, Readiness
from stream_app.rows import RowWriter
from stream_app.settings import WorkerSettings
from stream_app.state_format import NewerStateError
from stream_app.supervision import Supervision
from stream_app.topics import ensure_internal_topics
from stream_app.waiting import SinkWait
from stream_app.watchdog import Pulse, Watchdog
from telemetry import tracing
from telemetry.server import MetricsServer
from telemetry.server import Readiness as Answer
from telemetry.settings import TelemetrySettings

logger = get_logger(__name__)


def clock_us() -> int:
    """Wall clock in microseconds."""
    return time.time_ns() // 1000


class StreamWorker(faust.Worker):
    """Says when a stop begins, whatever caused it."""

    begin_stop: Callable[[], None]

    def _setup_logging(self) -> None:
        """Logging is set up already."""

    async def stop(self) -> None:
        """Called on SIGTERM, Ctrl-C and a crash."""
        self.begin_stop()
        await super().stop()


def run_worker(
    settings: WorkerSettings,
    clickhouse: ClickHouseSettings,
    *,
    telemetry: TelemetrySettings,
    ready_dir: Path | None = None,
) -> None:
    """Run until SIGTERM or Ctrl-C; does not return.

    Args:
        settings: where everything is and what is computed.
        clickhouse: where rows go.
        telemetry: where metrics are served, how to log.
        ready_dir: where ``ready.json`` is written; default: the data directory.

    Raises:
        FailpointError: ``ATTRIBUTION_FAILPOINTS`` cannot be read.
        MetricsPortError: the metrics port cannot be opened.
        TopicError: topics are missing or do not fit together.
    """
    failpoints.arm(os.environ.get(failpoints.ENVIRONMENT, ""))
    ensure_internal_topics(settings)
    logger.info("The core is %s", DESCRIPTION)
    clock = time.monotonic
    pulse, readiness = Pulse(clock), Readiness(ready_dir or settings.data_dir, clock)
    meter = WorkerMeter(clock_us)
    meter.watch_readiness(readiness)
    if telemetry.metrics_port:
        MetricsServer(telemetry.metrics_host, telemetry.metrics_port, meter.metrics, _asked(readiness))
    wait = SinkWait(pulse, clock, meter.insert_retried)
    client = with_backoff(
        lambda: connect(clickhouse), sleep=time.sleep, should_stop=lambda: False, on_retry=wait.renewed
    )
    wait.over()
    supervision = Supervision(
        readiness,
        pulse,
        Watchdog(settings.watchdog_s, lambda: _has_unread(settings, readiness)),
        ping=client.ping,
        clock=clock,
        stop_timeout_s=settings.stop_timeout_s,
    )
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    def fail_stop(error: BaseException) -> None:
        """Nothing may be committed after a failure, so nothing of an orderly stop may run."""
        code = _exit_code(error)
        cause = error if code == FAIL_STOP else None
        logger.critical("Stopping without a commit: %s: %s", type(error).__name__, error, exc_info=cause)
        readiness.stop()
        sys.stderr.flush()
        os._exit(code)

    rows = RowWriter(
        settings,
        writer=Writer(client, on_insert=meter.inserted),
        eraser=Eraser(client),
        clock_us=clock_us,
        is_stopping=supervision.stopping.is_set,
        wait=wait,
        on_error_micros=meter.conservation_error,
    )
    rows.describe_run()
    fits = _fits(settings)
    app = create_app(
        settings,
        write_rows=rows.write,
        fail_stop=fail_stop,
        clock_us=clock_us,
        erased=rows.known_digests(),
        timeline=(lambda: NO_FITS) if fits is None else (lambda: fits.timeline),
        beat=pulse.beat,
        measure=meter,
        tracer=tracing.load("worker"),
    )
    if telemetry.metrics_port:
        meter.watch_broker_and_store(LagReader(settings.bootstrap_servers, app.places), app.journeys.sizes)

    def taken_over(partitions: set[int]) -> None:
        meter.rebalanced()
        readiness.set(partitions)

    app.on_ready, app.on_not_ready = taken_over, readiness.clear
    app.on_restoring = readiness.restoring
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)  # epochs make many short-lived tuples; cycles are rare here
    worker = StreamWorker(app, quiet=True, redirect_stdouts=False)
    worker.spinner = None  # it writes to stdout, which holds nothing but what is meant for it
    worker.begin_stop = supervision.begin_stop
    supervision.start()
    try:
        worker.execute_from_commandline()
    finally:
        readiness.stop()


def _exit_code(error: BaseException) -> int:
    """Why the worker ends; what a person must decide says its reason without a traceback."""
    match error:
        case TooManyInvalidError():
            return LIMIT_STOP
        case NewerStateError() | UnknownJourneyFormatError():
            return NEWER_STATE
    return FAIL_STOP


def _asked(readiness: Readiness) -> Callable[[], Answer]:
    """What ``/ready`` of the metrics port says."""

    def answer() -> Answer:
        state = readiness.state
        return Answer(state == "ready", state, WHY[state])

    return answer


def _fits(settings: WorkerSettings) -> FitReader | None:
    """All fits that were published, if a model needs them; later ones are read as they come."""
    if not any(resolve(model).needs_fit for model in settings.models):
        return None
    reader = FitReader(settings.bootstrap_servers, settings.models_topic, clock_us=clock_us)
    reader.catch_up()
    logger.info("%d fits of the data-driven model", len(reader.timeline))
    reader.follow()
    return reader


def _has_unread(settings: WorkerSettings, readiness: Readiness) -> bool | None:
    partitions = readiness.partitions or frozenset()
    return has_unread(settings.bootstrap_servers, settings.group_id, settings.source_topics, partitions)
