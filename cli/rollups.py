"""``attribution rollups``: the daily sums of credits, and beside them those of paths, in a thread of their own."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.observed import MetricsPort, fail, observed, serving
from cli.store import read_settings

if TYPE_CHECKING:
    from datetime import date

    from clickhouse.path_sums import Built
    from clickhouse.settings import ClickHouseSettings


def register(app: typer.Typer) -> None:
    """Adds ``rollups``."""
    app.command()(rollups)


def rollups(
    every: Annotated[float, typer.Option("--every", min=0.05, help="Seconds between two looks for changes.")] = 0.2,
    share: Annotated[
        float, typer.Option("--share", min=0.01, max=1.0, help="Of the time in which sums may be at work.")
    ] = 0.2,
    full_every: Annotated[
        float, typer.Option("--full-every", min=0, help="Seconds between two builds of older days and touch days.")
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Build what is dirty now, then end.")] = False,
    metrics_port: MetricsPort = None,
    alive: Annotated[
        Path | None, typer.Option("--alive", help="Renew this file with every look, for a check of liveness.")
    ] = None,
) -> None:
    """Recomputes the daily sums where credits changed: at once, but for a bounded share of the time.

    Sums of paths follow for days that have come to rest.
    """
    from cli.rollups_meter import RollupsMeter
    from clickhouse.client import connect
    from clickhouse.errors import StoreError
    from clickhouse.rollups import Roller

    telemetry = observed("rollups", metrics_port)
    settings = read_settings()
    stop, meter = threading.Event(), RollupsMeter()
    paths = _Paths(settings, share, stop)

    def trouble(error: StoreError) -> None:
        meter.refused()
        _trouble(error)

    def wait(seconds: float) -> bool:
        if alive is not None:
            alive.touch()
        return stop.wait(seconds)

    try:
        client = connect(settings)
        try:
            roller = Roller(client)
            if once:
                _report(roller.drain())
                paths.drain()
                return
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            with serving(telemetry, meter.metrics):
                if telemetry.metrics_port:
                    meter.look_on(lambda: connect(settings), trouble)
                paths.start()
                roller.run_forever(
                    wait=wait,
                    share=share,
                    look_s=every,
                    full_every_s=full_every,
                    on_pass=_report,
                    on_trouble=trouble,
                    on_cost=lambda built, seconds, is_full: meter.passed(built, seconds, is_full=is_full),
                )
        finally:
            client.close()
            paths.end()
    except StoreError as error:
        fail(str(error), 1)


class _Paths:
    """The thread that builds path sums until ``stop`` is set; its failure sets it, and is raised by ``end``."""

    def __init__(self, settings: ClickHouseSettings, share: float, stop: threading.Event) -> None:
        self._settings, self._share, self._stop = settings, share, stop
        self._thread = threading.Thread(target=self._work, name="path-sums", daemon=True)
        self._failure: Exception | None = None

    def drain(self) -> None:
        """Builds what is due now, in this thread."""
        from clickhouse.client import connect
        from clickhouse.path_sums import PathRoller

        client = connect(self._settings)
        try:
            PathRoller(client).drain(_report_paths)
        finally:
            client.close()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Waits for the day that is being built."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        from clickhouse.client import connect
        from clickhouse.path_sums import PathRoller

        try:
            client = connect(self._settings)
            try:
                PathRoller(client).run_forever(
                    wait=self._stop.wait, share=self._share, on_built=_report_paths, on_trouble=_trouble
                )
            finally:
                client.close()
        except Exception as error:  # noqa: BLE001 - raised in the command's own thread
            self._failure = error
            self._stop.set()


def _report(built: list[tuple[int, date]]) -> None:
    from telemetry.logs import announce

    days = sorted(day for _, day in built)
    announce(f"built {len(built)} days, {days[0]} to {days[-1]}" if built else "no day has changed", file=sys.stdout)


def _report_paths(built: Built) -> None:
    from telemetry.logs import announce

    announce(f"built the path sums of {built.day}, run {built.run_id}; {built.waiting} days wait", file=sys.stdout)


def _trouble(error: Exception) -> None:
    from telemetry.logs import announce

    announce(f"waiting: {error}", level=logging.WARNING)
