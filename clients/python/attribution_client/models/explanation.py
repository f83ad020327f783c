"""Answer of ``explain``: how a conversion's credits came about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attribution_client.frames import Table
from attribution_client.models.common import Meta
from attribution_client.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedTouch:
    """A touch that was received, and its verdict: ``eligible``, or why it counts for nothing."""

    touchpoint_id: str
    touched_at: datetime
    channel: str
    campaign: str | None
    verdict: str
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A role in the journey, and the touch that has it."""

    role: str
    position: int
    touchpoint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedShare:
    """A touch under a model: the formula's numbers, the exact share (a fraction of micros), and its rounding."""

    position: int
    touchpoint_id: str
    roles: tuple[str, ...]
    numbers: str
    weight: float
    raw_micros: str
    floor_micros: int
    remainder_rank: int
    extra_micros: int
    value_micros: int
    value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedModel:
    """A model; ``applied`` names the one that stood in, where it did."""

    model: str
    applied: str
    formula: str
    shares: tuple[ExplainedShare, ...]
    handed_out: int
    unattributed_value_micros: int
    unattributed_value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedEvent:
    """An event that the conversion was made of."""

    event_id: str
    occurred_at: datetime
    status: str
    adjusts: str | None
    value_micros: int
    currency: str
    value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A stored row that the engine still holds."""

    rev: int
    converted_at: datetime
    value_micros: int
    is_deleted: bool
    config_hash: str
    emitted_at: datetime | None
    value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(Table):
    """Every touch with its verdict, every model with its numbers. Rows: a share of a model each."""

    conversion_id: str
    customer_id: str
    customer_ids: tuple[str, ...]
    conversion_type: str
    converted_at: datetime
    value_micros: int
    currency: str
    is_live: bool
    truncated: bool
    matches_stored: bool
    touches: tuple[ExplainedTouch, ...]
    milestones: tuple[Milestone, ...]
    models: tuple[ExplainedModel, ...]
    events: tuple[ExplainedEvent, ...]
    history: tuple[Revision, ...]
    config: dict[str, Any]
    config_hash: str
    model_version: str | None
    meta: Meta
    value = Money()

    row_path = (("models", ""), ("shares", ""))
