"""What ``attribution bench read`` asks: the API over HTTP, and the engine directly for the dashboards' views.

The queries behind a report are asked directly as well: the difference is what the API adds.
"""

from __future__ import annotations

import http.client
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cli.bench_loop import Measured, measure
from clickhouse import queries
from clickhouse.client import connect
from embedded.clickhouse import pings
from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop, tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.bench_world import World
    from clickhouse.settings import ClickHouseSettings

_MODEL: Final = "linear"


def measure_all(
    settings: ClickHouseSettings,
    world: World,
    clients: int,
    seconds: float,
    log: Path,
    report: Callable[[str], None],
) -> list[Measured]:
    """Starts the API as ``attribution api`` does and measures every question.

    Raises:
        RuntimeError: the API does not start, or an answer is wrong.
    """
    port = free_port()
    environment = {
        "CLICKHOUSE_URL": settings.url,
        "CLICKHOUSE_DATABASE": settings.database,
        "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:1",
    }
    command = [sys.executable, "-P", "-m", "cli", "api", "--port", str(port)]
    process = spawn(command, log=log, env=environment)
    found = []
    try:
        deadline = time.monotonic() + 60
        while not pings(port, "/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API did not start; end of {log}:\n{tail(log)}")
            time.sleep(0.05)
        for name, path in _paths(world).items():
            found.append(measure(name, _over_http(port, path), clients=clients, seconds=seconds))
            report(f"{name}: p95 {found[-1].p95:.1f} ms")
    finally:
        stop(process)
    for name, (query, bound) in _queries(world).items():
        ask = _of_engine(settings, query, bound)
        measured = measure(name, ask, clients=clients, seconds=seconds)
        found.append(replace(measured, rows_read=_rows_read(settings, query, bound)))
        report(f"{name}: p95 {found[-1].p95:.1f} ms, {found[-1].rows_read:,} rows read")
    return found


def _paths(world: World) -> dict[str, str]:
    span = f"start_date={world.start}&end_date={world.end}&attribution_model={_MODEL}"
    report = "/api/v1/analytics/channel-performance"
    customer = f"customer-{world.customers // 3}"
    return {
        "GET channel-performance, 90 days": f"{report}?{span}",
        "GET channel-performance, 90 days, touch day": f"{report}?{span}&basis=touch_day",
        "GET channel-performance, 90 days, one type": f"{report}?{span}&conversion_type=purchase",
        "GET channel-performance, 1 day": f"{report}?start_date={world.end}&end_date={world.end}",
        "GET results of a customer": f"/api/v1/attribution/results/{customer}",
        "GET journey of a customer": f"/api/v1/analytics/customer-journey/{customer}",
        "GET journey of a customer with credits": f"/api/v1/analytics/customer-journey/{customer}?models=linear",
    }


def _queries(world: World) -> dict[str, tuple[str, dict[str, Any]]]:
    span = {"start": world.start, "end": world.end}
    of_model = {**span, "model": _MODEL}
    asked = {**of_model, "currency": "USD", "conversion_type": "", "fx_max_age_days": 7}
    conversion, touch = {**asked, "basis": "conversion_day"}, {**asked, "basis": "touch_day"}
    return {
        "query meta": ("meta", {}),
        "query channel_performance": ("channel_performance", conversion),
        "query channel_performance, touch day": ("channel_performance", touch),
        "query currencies_in_period": ("currencies_in_period", conversion),
        "query spend_through": ("spend_through", {"end": world.end}),
        "panel channels over time": ("panel_channels_over_time", of_model),
        "panel performance": ("panel_performance", of_model),
        "panel models": ("panel_models", span),
        "panel cohorts": ("panel_cohorts", of_model),
    }


def _over_http(port: int, path: str) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], None]:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)

        def ask() -> None:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.client.OK:
                raise RuntimeError(f"GET {path} was answered with {answer.status}: {body[:500]!r}")

        return ask

    return make


def _of_engine(settings: ClickHouseSettings, query: str, bound: dict[str, Any]) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], None]:
        client = connect(settings)

        def ask() -> None:
            if not queries.run(client, query, **bound):
                raise RuntimeError(f"query {query} gave no row")

        return ask

    return make


def _rows_read(settings: ClickHouseSettings, query: str, bound: dict[str, Any]) -> int:
    client = connect(settings)
    try:
        return int(client.query(queries.load(query), parameters=bound).summary.get("read_rows", 0))
    finally:
        client.close()
