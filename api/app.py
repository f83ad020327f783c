"""The application factory. Nothing exists before ``create_app`` is called; nothing is connected before a request."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import anyio
from starlette.middleware.gzip import GZipMiddleware

from api import (
    analytics_routes,
    attribution_routes,
    data_routes,
    explain_routes,
    health_routes,
    ingest_routes,
    sums_routes,
)
from api.clickhouse_store import ClickHouseStore
from api.docs import TAGS, add_docs
from api.front import Api
from api.guard import Guard
from api.offsets import KafkaOffsets, OffsetReader
from api.producer import EventProducer, KafkaProducer
from api.services import Services
from api.settings import INPUT_TOPICS, ApiSettings, load_settings
from schemas.channel_rules import load_channel_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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
) -> Api:
    """The API.

    Args:
        settings: from the environment when left out.
        store: where to read; ClickHouse of the environment when left out.
        offsets: ends of the topics; Kafka of the settings when left out.
        producer: where events are written; Kafka of the settings when left out.
        now: the clock, aware UTC; the system's when left out.

    Raises:
        SettingsError: a setting cannot be used.
    """
    used = settings or load_settings()
    services = Services(
        used,
        store or ClickHouseStore.from_environment(timeout_s=used.request_timeout_s, keep_s=used.report_keep_s),
        offsets
        or KafkaOffsets(
            used.kafka_bootstrap_servers,
            INPUT_TOPICS,
            timeout_s=used.kafka_timeout_s,
            cache_s=used.status_cache_s,
            monotonic=time.monotonic,
        ),
        producer=producer or KafkaProducer(used.kafka_bootstrap_servers, timeout_s=used.produce_timeout_s),
        channel_rules=load_channel_rules(used.channel_rules),
        now=now or _utc_now,
        monotonic=time.monotonic,
    )

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(services.producer.close)
        await anyio.to_thread.run_sync(services.offsets.close)
        await anyio.to_thread.run_sync(services.store.close)

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
    app.state.services = services
    rooms = (
        attribution_routes,
        explain_routes,
        sums_routes,
        analytics_routes,
        data_routes,
        ingest_routes,
        health_routes,
    )
    for room in rooms:
        app.include_router(room.build_router())
    add_docs(app)
    limits = {_CALCULATE_PATH: used.max_calculate_body_bytes}
    limits |= dict.fromkeys(ingest_routes.BULK_PATHS, used.max_bulk_body_bytes)
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=_GZIP_LEVEL)
    app.add_middleware(
        Guard,
        body_limit=lambda path: limits.get(path, used.max_body_bytes),
        timeout_s=used.request_timeout_s,
    )
    return app


def _utc_now() -> datetime:
    return datetime.now(UTC)
