"""The application factory. Nothing exists before ``create_app`` is called; nothing is connected before a request."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import anyio
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from accounts.accounts import Accounts
from accounts.settings import AccountsSettings
from accounts.workspaces import DEFAULT
from api import (
    analytics_routes,
    attribution_routes,
    auth_routes,
    batch_routes,
    budget_routes,
    collector_routes,
    data_routes,
    explain_routes,
    fit_routes,
    funnel_routes,
    health_routes,
    ingest_routes,
    key_routes,
    letter_routes,
    lift_routes,
    metrics_routes,
    paths_routes,
    replay_routes,
    run_routes,
    stream_routes,
    sums_routes,
    unattributed_routes,
    user_routes,
)
from api.access import AccessTable
from api.clickhouse_store import ClickHouseStore
from api.credentials import Recognised
from api.docs import TAGS, add_docs
from api.front import Api
from api.gate import Gate, asking
from api.guard import Guard
from api.live_streams import Streams
from api.measured import Measured
from api.offsets import KafkaOffsets, OffsetReader
from api.producer import EventProducer, KafkaProducer
from api.registry_log import SchemaLog
from api.registry_routes import build_routes
from api.run_store import GapCheck
from api.security import Security
from api.services import Services
from api.settings import INPUT_TOPICS, ApiSettings, load_settings
from api.throttle import Throttle
from api.traced import Traced
from api.workspace_services import WorkspaceServices
from schemas.channel_rules import load_channel_rules
from schemas.topics import topic_in
from telemetry.api_metrics import ApiMetrics
from telemetry.tracing import Tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import APIRouter

    from api.letter_store import Letters
    from api.replay_store import Replays
    from api.store import Store

_CALCULATE_PATH: Final = "/api/v1/attribution/calculate"
_GZIP_FROM_BYTES: Final = 1_000
_GZIP_LEVEL: Final = 4  # 9 takes three times as long for a few percent
_DESCRIPTION: Final = (
    "Which touchpoints earned a conversion, and what each channel returned on its spend. "
    "Amounts come as a number and, exactly, as `…_micros` (1e-6 of a currency unit). Times are UTC. "
    "Failures are problems as in RFC 9457 (`application/problem+json`)."
)


def create_app(
    settings: ApiSettings | None = None,
    *,
    store: Store | None = None,
    offsets: OffsetReader | None = None,
    producer: EventProducer | None = None,
    now: Callable[[], datetime] | None = None,
    accounts: Accounts | None = None,
    others: Callable[[str], tuple[Store, OffsetReader]] | None = None,
    gap_check: GapCheck | None = None,
    tracer: Tracer | None = None,
    schema_logs: Callable[[str], SchemaLog] | None = None,
    letters: Callable[[str], Letters] | None = None,
    replays: Callable[[str], Replays] | None = None,
) -> Api:
    """The API.

    Args:
        settings: from the environment when left out.
        store: where to read the workspace ``default``; ClickHouse of the environment when left out.
        offsets: ends of that workspace's topics; Kafka of the settings when left out.
        producer: where events are written, those of every workspace; Kafka of the settings when left out.
        now: the clock, aware UTC; the system's when left out.
        accounts: who may call; those of the environment when left out.
        others: store and offsets of another workspace, by its name; of the environment when left out.
        gap_check: what refuses a promotion that would leave a gap; left out, runs that workers feed are not promoted.
        tracer: where spans of requests go; left out, traces of callers are passed on.
        schema_logs: where the registry of a workspace keeps its schemas; Kafka of the settings when left out.
        letters: the dead letters of a workspace, by its name; left out, they are neither shown nor sent again.
        replays: what computes runs of a workspace anew, by its name; left out, nothing does.

    Raises:
        SettingsError: a setting cannot be used.
        UndeclaredRouteError: a route does not say who may call it.
    """
    used = settings or load_settings()
    metrics = ApiMetrics()
    clock = now or _utc_now
    writes = producer or KafkaProducer(used.kafka_bootstrap_servers, timeout_s=used.produce_timeout_s)
    rules = load_channel_rules(used.channel_rules)

    def services_of(workspace: str) -> Services:
        if workspace != DEFAULT and others is not None:
            reads, ends = others(workspace)
        else:
            is_default = workspace == DEFAULT
            reads = (store if is_default else None) or _store(used, workspace, metrics)
            ends = (offsets if is_default else None) or _offsets(used, workspace)
        return Services(
            used,
            reads,
            ends,
            producer=writes,
            channel_rules=rules,
            workspace=workspace,
            metrics=metrics,
            gap_check=gap_check,
            schema_log=None if schema_logs is None else schema_logs(workspace),
            letters=None if letters is None else letters(workspace),
            replays=None if replays is None else replays(workspace),
            now=clock,
            monotonic=time.monotonic,
        )

    workspaces = WorkspaceServices(services_of)
    security = Security(lambda: accounts or Accounts(AccountsSettings()), Throttle(used))
    security.recognised = Recognised(asking(lambda: security, clock), now=clock, monotonic=time.monotonic)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        app.state.streams.stop()
        await anyio.to_thread.run_sync(writes.close)
        await anyio.to_thread.run_sync(workspaces.close)
        await anyio.to_thread.run_sync(security.close)

    app = Api(
        title="realtime-attribution",
        version=version("realtime-attribution"),
        summary="Streaming multi-touch attribution",
        description=_DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.settings, app.state.security = used, security
    app.state.streams, app.state.metrics = Streams(used.streams_per_caller, metrics), metrics
    for router in _routers():
        app.include_router(router)
    app.router.routes.extend(build_routes())
    add_docs(app)
    app.state.access = AccessTable(app.routes, public_paths=("/openapi.json",), public_mounts=("/static",))
    limits = {_CALCULATE_PATH: used.max_calculate_body_bytes}
    bulk = {*ingest_routes.BULK_PATHS, *collector_routes.BULK_PATHS, batch_routes.PATH}
    limits |= dict.fromkeys(bulk, used.max_bulk_body_bytes)
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=_GZIP_LEVEL)
    app.add_middleware(
        Gate, settings=used, table=app.state.access, security=security, services=workspaces.of, now=clock
    )
    app.add_middleware(Measured, table=app.state.access, metrics=metrics)
    app.add_middleware(Traced, table=app.state.access, tracer=tracer)
    if used.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=used.cors_origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "X-API-Key"],
            expose_headers=["ETag", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"],
        )
    app.add_middleware(
        Guard,
        body_limit=lambda path: limits.get(path, used.max_body_bytes),
        timeout_s=used.request_timeout_s,
    )
    return app


@cache
def _routers() -> tuple[APIRouter, ...]:
    """One per resource. They hold nothing of an app, so a process builds them once, however many apps it makes."""
    rooms = (
        attribution_routes,
        batch_routes,
        explain_routes,
        fit_routes,
        paths_routes,
        sums_routes,
        budget_routes,
        lift_routes,
        funnel_routes,
        unattributed_routes,
        analytics_routes,
        run_routes,
        replay_routes,
        stream_routes,
        data_routes,
        letter_routes,
        ingest_routes,
        collector_routes,
        auth_routes,
        key_routes,
        user_routes,
        health_routes,
        metrics_routes,
    )
    return tuple([room.build_router() for room in rooms])


def _store(settings: ApiSettings, workspace: str, metrics: ApiMetrics) -> Store:
    return ClickHouseStore.from_environment(timeout_s=settings.request_timeout_s, workspace=workspace, metrics=metrics)


def _offsets(settings: ApiSettings, workspace: str) -> OffsetReader:
    return KafkaOffsets(
        settings.kafka_bootstrap_servers,
        [topic_in(workspace, topic) for topic in INPUT_TOPICS],
        timeout_s=settings.kafka_timeout_s,
        cache_s=settings.status_cache_s,
        monotonic=time.monotonic,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
