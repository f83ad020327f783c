"""Answers of ``/data``, ``/health`` and ``/ready``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attribution_client.frames import Table
from attribution_client.models.common import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """An event that was not taken: its index from 0, its line from 1, the reason, and what would be right."""

    index: int
    line: int
    field: str
    reason: str
    detail: str
    event_id: str | None = None
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of the events: ``accepted`` + ``rejected`` = ``sent``. Accepted ones are durable in Kafka."""

    sent: int
    accepted: int
    rejected: int
    errors: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureAccepted:
    """A request to forget a customer, durable in Kafka."""

    request_id: str
    policy: str
    status: str = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyState:
    """``ok`` or ``unavailable``, with the reason."""

    name: str
    status: str
    required: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStatus:
    """How far a partition is read; None where that is not known."""

    topic: str
    partition: int
    offset: int | None
    end_offset: int | None
    lag: int | None
    watermark: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterCount:
    """Refused records of a reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStatus(Table):
    """Lag by partition, dead letters by reason. Rows: a partition each."""

    kafka: DependencyState
    total_lag: int | None
    partitions: tuple[PartitionStatus, ...]
    dead_letters: tuple[DeadLetterCount, ...]
    meta: Meta

    row_path = (("partitions", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """State of the API and of what it depends on, by name."""

    status: str
    version: str
    dependencies: tuple[DependencyState, ...]
