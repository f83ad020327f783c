"""One worker process: build the application, run it, say when it is ready, stop it loudly when it must not go on."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import faust
from mode import get_logger

from clickhouse.client import connect
from clickhouse.erasure import Eraser
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from stream_app.app import AttributionApp, create_app
from stream_app.dead_letter_limits import TooManyInvalidError
from stream_app.exits import FAIL_STOP, LIMIT_STOP
from stream_app.rows import RowWriter
from stream_app.settings import WorkerSettings
from stream_app.topics import ensure_internal_topics

logger = get_logger(__name__)


def clock_us() -> int:
    """Wall clock in microseconds."""
    return time.time_ns() // 1000


class Readiness:
    """``ready.json`` in the data directory: there while the worker owns its partitions and has recovered."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "ready.json"
        data_dir.mkdir(parents=True, exist_ok=True)
        self.clear()

    def set(self, partitions: set[int]) -> None:
        """Say which partitions are served."""
        text = json.dumps(
            {"ready": True, "partitions": sorted(partitions), "pid": os.getpid(), "at": datetime.now(UTC).isoformat()}
        )
        partial = self._file.with_suffix(".tmp")
        partial.write_text(text)
        partial.replace(self._file)

    def clear(self) -> None:
        """Not ready: starting, rebalancing or stopping."""
        self._file.unlink(missing_ok=True)


def run_worker(settings: WorkerSettings, clickhouse: ClickHouseSettings) -> None:
    """Run until SIGTERM or Ctrl-C; does not return.

    Raises:
        TopicError: topics are missing or do not fit together.
    """
    ensure_internal_topics(settings)
    readiness = Readiness(settings.data_dir)
    stopping = threading.Event()

    def fail_stop(error: BaseException) -> None:
        """Nothing may be committed after a failure, so nothing of an orderly stop may run."""
        is_limit = isinstance(error, TooManyInvalidError)
        cause = None if is_limit else error
        logger.critical("Stopping without a commit: %s: %s", type(error).__name__, error, exc_info=cause)
        readiness.clear()
        sys.stderr.flush()
        os._exit(LIMIT_STOP if is_limit else FAIL_STOP)

    client = connect(clickhouse)
    rows = RowWriter(
        settings,
        writer=Writer(client),
        eraser=Eraser(client),
        clock_us=clock_us,
        is_stopping=stopping.is_set,
    )
    rows.describe_run()
    app = create_app(
        settings, write_rows=rows.write, fail_stop=fail_stop, clock_us=clock_us, erased=rows.known_digests()
    )
    app.on_ready, app.on_not_ready = readiness.set, readiness.clear
    _stop_waiting_when_stopping(app, stopping)
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)  # epochs make many short-lived tuples; cycles are rare here
    worker = faust.Worker(
        app, loglevel=settings.log_level.replace("warning", "warn"), quiet=True, redirect_stdouts=False
    )
    try:
        worker.execute_from_commandline()
    finally:
        readiness.clear()


def _stop_waiting_when_stopping(app: AttributionApp, stopping: threading.Event) -> None:
    """A stop must not wait for a ClickHouse that is away: the epoch is given up, uncommitted, and replayed."""

    async def on_shutdown(*_: object, **__: object) -> None:
        stopping.set()

    app.on_before_shutdown.connect(on_shutdown)
