"""What ``attribution bench read`` asks: the API over HTTP, and the engine directly for the dashboards' views.

The queries behind a report are asked directly as well: the difference is what the API adds.
"""

from __future__ import annotations

import http.client
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from attribution.config import DAY_US
from cli.bench_live import Changes
from cli.bench_loop import Measured, TimedOutError, measure
from cli.local_key import key_header
from clickhouse import queries
from clickhouse.client import connect
from embedded.clickhouse import pings
from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cli.bench_world import World
    from clickhouse.settings import ClickHouseSettings

_MODEL: Final = "linear"
_TOP_PATHS: Final = {
    "channel": "",
    "by_campaign": 0,
    "collapse": 1,
    "limit": 100,
    "has_after": 0,
    "after_conversions": 0,
    "after_id": "",
}


def measure_all(
    settings: ClickHouseSettings,
    world: World,
    clients: int,
    seconds: float,
    log: Path,
    report: Callable[[str], None],
    *,
    live: bool = False,
) -> list[Measured]:
    """Starts the API as ``attribution api`` does and measures every question; ``live``: reports while days change, too.

    Raises:
        RuntimeError: the API does not start, or an answer is wrong.
    """
    customer = _customer(settings, world)
    port = free_port()
    environment = {
        "CLICKHOUSE_URL": settings.url,
        "CLICKHOUSE_DATABASE": settings.database,
        "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:1",
        "ATTRIBUTION_ACCOUNTS_DIR": str(log.parent / "accounts"),
        "ATTRIBUTION_API_RATE_LIMIT": "",
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
        headers = key_header(environment)
        for name, path in _paths(world, customer).items():
            found.append(measure(name, _over_http(port, headers, [path]), clients=clients, seconds=seconds))
            report(f"{name}: {_told(found[-1])}")
        if live:
            with Changes(settings, world) as changes:
                for name, paths in _live_paths(world).items():
                    before = changes.passes
                    found.append(measure(name, _over_http(port, headers, paths), clients=clients, seconds=seconds))
                    report(f"{name}: {_told(found[-1])}, {changes.passes - before} days built meanwhile")
    finally:
        stop(process)
    scans = _scans(world)
    for name, (query, bound) in (_queries(world, customer) | scans).items():
        ask = _of_engine(settings, query, bound)
        measured = measure(name, ask, clients=1 if name in scans else clients, seconds=seconds)
        found.append(replace(measured, rows_read=_rows_read(settings, query, bound)))
        report(f"{name}: {_told(found[-1])}, {found[-1].rows_read:,} rows read")
    return found


def _told(measured: Measured) -> str:
    return "timeout" if measured.timed_out else f"p95 {measured.p95:.1f} ms"


def _paths(world: World, customer: str) -> dict[str, str]:
    days = f"start_date={world.start}&end_date={world.end}"
    span = f"{days}&attribution_model={_MODEL}"
    report = "/api/v1/analytics/channel-performance"
    return {
        "GET channel-performance, 90 days": f"{report}?{span}",
        "GET channel-performance, 90 days, touch day": f"{report}?{span}&basis=touch_day",
        "GET channel-performance, 90 days, one type": f"{report}?{span}&conversion_type=purchase",
        "GET channel-performance, 1 day": f"{report}?start_date={world.end}&end_date={world.end}",
        "GET top-paths, 90 days": f"/api/v1/analytics/top-paths?{days}",
        "GET top-paths, 90 days, by campaign": f"/api/v1/analytics/top-paths?{days}&by=campaign",
        "GET path-length, 90 days": f"/api/v1/analytics/path-length?{days}",
        "GET time-lag, 90 days": f"/api/v1/analytics/time-lag?{days}",
        "GET assisted-conversions, 90 days": f"/api/v1/analytics/assisted-conversions?{days}",
        "GET results of a customer": f"/api/v1/attribution/results/{customer}",
        "GET journey of a customer": f"/api/v1/analytics/customer-journey/{customer}",
        "GET journey of a customer with credits": f"/api/v1/analytics/customer-journey/{customer}?models=linear",
    }


def _customer(settings: ClickHouseSettings, world: World) -> str:
    client = connect(settings)
    try:
        return str(queries.run(client, "bench_customer", day=world.end)[0]["customer_id"])
    finally:
        client.close()


def _live_paths(world: World) -> dict[str, list[str]]:
    """Reports while a day changes every second: one that all ask, and twelve in turn."""
    report = "/api/v1/analytics/channel-performance"
    asked = [
        f"{report}?start_date={world.start}&end_date={world.end}&attribution_model={model}{basis}"
        for model in ("linear", "first_touch", "last_touch", "time_decay", "u_shaped", "w_shaped")
        for basis in ("", "&basis=touch_day")
    ]
    return {
        "live: channel-performance, 90 days": asked[:1],
        "live: channel-performance, 90 days, touch day": asked[1:2],
        "live: 12 channel-performances in turn": asked,
    }


def _queries(world: World, customer: str) -> dict[str, tuple[str, dict[str, Any]]]:
    span = {"start": world.start, "end": world.end}
    of_model = {**span, "model": _MODEL}
    money = {"currency": "USD", "fx_max_age_days": 7}
    asked = {**money, "model": _MODEL, "conversion_type": "", "run_id": 1}
    every = [world.start + timedelta(days=i) for i in range(world.days)]
    # all days have path sums
    paths = {**money, **span, "summed": every, "live": [], "conversion_type": "", "run_id": 1}
    page = {"customer_id": customer, "has_after": 0, "after_us": 0, "after_id": ""}
    return {
        "query standing": ("standing", {}),
        "query report_credits, 1 day": ("report_credits", {**asked, "days": every[-1:]}),
        "query report_credits, 90 days": ("report_credits", {**asked, "days": every}),
        "query report_credits_touch, 1 day": ("report_credits_touch", {**asked, **span, "days": every[-1:]}),
        "query report_credits_touch, 90 days": ("report_credits_touch", {**asked, **span, "days": every}),
        "query report_spend": ("report_spend", {**money, **span}),
        "query analytics_top_path_ids": ("analytics_top_path_ids", {**paths, **_TOP_PATHS, "least_grade": 5}),
        "query analytics_top_path_ids, rare ones": (
            "analytics_top_path_ids",
            {**paths, **_TOP_PATHS, "least_grade": 0},
        ),
        "query analytics_path_length": ("analytics_path_length", {**paths, "longest": 12}),
        "query analytics_time_lag": ("analytics_time_lag", paths),
        "query analytics_assists": ("analytics_assists", paths),
        "query results_page": ("results_page", {**page, "model": "", "after_model": "", "limit": 100}),
        "query journey_page": ("journey_page", {**page, "after_rank": 0, "limit": 100}),
        "panel channels over time": ("panel_channels_over_time", of_model),
        "panel performance": ("panel_performance", of_model),
        "panel models": ("panel_models", span),
        "panel cohorts": ("panel_cohorts", of_model),
    }


def _scans(world: World) -> dict[str, tuple[str, dict[str, Any]]]:
    """Reports that read every touch: asked by one client, without the API's limit on time."""
    span = {"start": world.start, "end": world.end}
    first_us = (world.start - date(1970, 1, 1)).days * DAY_US
    last_us = first_us + world.days * DAY_US
    milestones = {"conversions": ["lead_created", "purchase"], "conversion_masks": [2, 4]}
    names = {"channels": [""], "channel_masks": [0], "types": [""], "type_masks": [0], **milestones}
    funnel = {"last_us": last_us, "any_touch": 1, **names}
    money = {"currency": "USD", "fx_max_age_days": 7, "conversion_type": "", "bucket": "day"}
    run = {"lookback_us": 90 * DAY_US, "excluded": [], "resets": [], "resets_since": world.start}
    week_us = max(first_us, last_us - 7 * DAY_US)
    return {
        "query funnel_levels, 90 days": ("funnel_levels", {**funnel, "first_us": first_us, "window_us": 30 * DAY_US}),
        "query funnel_levels, 7 days": ("funnel_levels", {**funnel, "first_us": week_us, "window_us": 7 * DAY_US}),
        "query unattributed, 90 days": ("unattributed", {**span, **money, **run}),
    }


def _over_http(
    port: int, headers: dict[str, str], paths: Sequence[str]
) -> Callable[[], AbstractContextManager[Callable[[], None]]]:
    """Clients that ask the paths in turn; the turn is shared, so that not all ask the same at once."""
    turn = cycle(paths)

    @contextmanager
    def make() -> Iterator[Callable[[], None]]:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)

        def ask() -> None:
            path = next(turn)
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
            except TimeoutError as error:
                raise TimedOutError(f"GET {path}") from error
            if answer.status == http.client.GATEWAY_TIMEOUT:
                raise TimedOutError(f"GET {path}")
            if answer.status != http.client.OK:
                raise RuntimeError(f"GET {path} was answered with {answer.status}: {body[:500]!r}")

        with closing(connection):
            yield ask

    return make


def _of_engine(
    settings: ClickHouseSettings, query: str, bound: dict[str, Any]
) -> Callable[[], AbstractContextManager[Callable[[], None]]]:
    @contextmanager
    def make() -> Iterator[Callable[[], None]]:
        client = connect(settings)

        def ask() -> None:
            if not queries.run(client, query, **bound):
                raise RuntimeError(f"query {query} gave no row")

        with closing(client):
            yield ask

    return make


def _rows_read(settings: ClickHouseSettings, query: str, bound: dict[str, Any]) -> int:
    client = connect(settings)
    try:
        return int(client.query(queries.load(query), parameters=bound).summary.get("read_rows", 0))
    finally:
        client.close()
