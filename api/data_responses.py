"""Answers about the service itself: health, dependencies, offsets, dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, Meta, example, example_of


class DependencyState(BaseModel):
    """One dependency, by name."""

    model_config = example({"name": "clickhouse", "status": "ok", "required": True})

    name: str
    status: Literal["ok", "unavailable"]
    required: bool
    reason: str | None = None


class Health(BaseModel):
    """Whether the API answers, with the state of what it depends on."""

    model_config = example(
        {
            "status": "ok",
            "version": "0.1.0",
            "dependencies": [{"name": "clickhouse", "status": "ok", "required": True}],
        }
    )

    status: Literal["ok", "degraded"]
    version: str
    dependencies: list[DependencyState]


class PartitionStatus(BaseModel):
    """How far one partition was read. ``offset`` is the next one to read; null where it is not known."""

    model_config = example(
        {
            "topic": "attribution.touchpoints",
            "partition": 0,
            "offset": 12050,
            "end_offset": 12061,
            "lag": 11,
            "watermark": "2026-11-24T10:00:01.731000Z",
            "updated_at": "2026-11-24T10:00:02.100000Z",
        }
    )

    topic: str
    partition: int
    offset: int | None
    end_offset: int | None
    lag: int | None = Field(description="Records not yet read.")
    watermark: datetime | None
    updated_at: datetime | None


class DeadLetterCount(BaseModel):
    """Records set aside for one reason."""

    model_config = example({"reason": "undecodable", "count": 3})

    reason: str
    count: int


class DataStatus(BaseModel):
    """How fresh and how complete the data are."""

    model_config = example(
        {
            "kafka": {"name": "kafka", "status": "ok", "required": False},
            "total_lag": 11,
            "partitions": [example_of(PartitionStatus)],
            "dead_letters": [{"reason": "undecodable", "count": 3}],
            "meta": META_EXAMPLE,
        }
    )

    kafka: DependencyState
    total_lag: int | None = Field(description="Sum over partitions; null while Kafka or an offset is unknown.")
    partitions: list[PartitionStatus]
    dead_letters: list[DeadLetterCount]
    meta: Meta
