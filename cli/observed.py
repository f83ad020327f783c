"""What long-running commands have in common: their log, and the port of their metrics."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.metrics import Metrics
    from telemetry.settings import TelemetrySettings

MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65_535,
        help="Serve /metrics, /ready and /live there; 0: nowhere \\[env: ATTRIBUTION_METRICS_PORT, default 0].",
    ),
]


def observed(program: str, metrics_port: int | None = None) -> TelemetrySettings:
    """Set up the log of this process; returns where its metrics are to be served.

    A wrong setting ends the command with code 2.
    """
    from dataclasses import replace

    from telemetry import logs
    from telemetry.settings import TelemetrySettings, TelemetrySettingsError

    try:
        settings = TelemetrySettings.of_environment()
    except TelemetrySettingsError as error:
        typer.echo(f"attribution: {error}", err=True)
        raise typer.Exit(2) from None
    if metrics_port is not None:
        settings = replace(settings, metrics_port=metrics_port)
    logs.configure(program, settings)
    return settings


@contextmanager
def serving(settings: TelemetrySettings, metrics: Metrics[Any]) -> Iterator[None]:
    """Serve the metrics while the block runs; a port that is taken ends the command with code 2."""
    from telemetry.server import MetricsPortError, MetricsServer

    if not settings.metrics_port:
        yield
        return
    try:
        server = MetricsServer(settings.metrics_host, settings.metrics_port, metrics)
    except MetricsPortError as error:
        fail(str(error), 2)
    try:
        yield
    finally:
        server.close()


def fail(message: str, code: int) -> NoReturn:
    """End the command with the reason as its last line."""
    from telemetry import logs

    logs.announce(message if logs.is_json() else f"attribution: {message}", level=logging.ERROR)
    raise typer.Exit(code)
