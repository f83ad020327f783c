"""``/api/v1/data``: how far the workers have read, how much waits, and what was set aside."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from accounts.roles import Role
from api.access import requires
from api.data_responses import DataStatus, DeadLetterCount, DependencyState, PartitionStatus
from api.freshness import freshness
from api.offsets import Bounds
from api.parameters import problems
from api.services import Injected, Services
from api.store import Progress, Unavailable


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/data", tags=["data"])

    @router.get(
        "/status",
        operation_id="get_data_status",
        summary="Offsets, lag and watermark by partition; dead letters by reason",
        responses=problems(503, 504),
    )
    @requires(Role.VIEWER)
    async def get_data_status(services: Injected) -> DataStatus:
        """Offsets come from the workers' own reports, ends of partitions from Kafka.

        When Kafka does not answer, `kafka.status` says so and `end_offset` and `lag` are null; the rest is still
        given. A partition that no worker has reported yet waits with everything that it holds.
        """
        meta = await services.meta()
        progress, dead_letters, (kafka, ends) = await asyncio.gather(
            services.call(services.store.progress), services.call(services.store.dead_letters), _ask_kafka(services)
        )
        partitions = partition_status(progress, ends)
        lags = [p.lag for p in partitions if p.lag is not None]
        is_known = kafka.status == "ok" and len(lags) == len(partitions)
        return DataStatus(
            kafka=kafka,
            total_lag=sum(lags) if is_known else None,
            partitions=partitions,
            dead_letters=[DeadLetterCount(reason=d.reason, count=d.count) for d in dead_letters],
            meta=freshness(meta, services.now()),
        )

    return router


async def _ask_kafka(services: Services) -> tuple[DependencyState, dict[tuple[str, int], Bounds]]:
    try:
        ends = await services.call(services.offsets.read)
    except Unavailable as error:
        return DependencyState(name="kafka", status="unavailable", required=False, reason=error.reason), {}
    return DependencyState(name="kafka", status="ok", required=False), ends


def partition_status(progress: list[Progress], ends: dict[tuple[str, int], Bounds]) -> list[PartitionStatus]:
    """Every partition that a worker or Kafka knows, by topic and number."""
    read = {(p.topic, p.partition): p for p in progress}
    return [_status(key, read.get(key), ends.get(key)) for key in sorted(read.keys() | ends.keys())]


def _status(key: tuple[str, int], read: Progress | None, bounds: Bounds | None) -> PartitionStatus:
    lag = None
    if bounds is not None:
        # records below the oldest kept one are gone and wait for nobody
        lag = max(0, bounds.high - max(bounds.low, read.offset if read else bounds.low))
    return PartitionStatus(
        topic=key[0],
        partition=key[1],
        offset=read.offset if read else None,
        end_offset=bounds.high if bounds else None,
        lag=lag,
        watermark=read.watermark if read else None,
        updated_at=read.updated_at if read else None,
    )
