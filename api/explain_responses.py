"""The answer of ``/api/v1/attribution/conversions/{conversion_id}/explain``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, Meta, example, example_of
from attribution.explain import Verdict


class ExplainedTouch(BaseModel):
    """One touch that was received, and whether it may get credit.

    ``verdict``: ``eligible``; ``duplicate`` (its id came with another content, or twice); ``after_conversion``;
    ``outside_lookback`` (older than the window); ``before_reset`` (an earlier conversion ended that journey);
    ``excluded_channel``; ``cap`` (a journey keeps the first touch and the newest ones).
    """

    model_config = example(
        {"touchpoint_id": "t-1", "touched_at": "2026-11-01T09:00:00Z", "channel": "Paid Search", "campaign": "brand"}
        | {"verdict": "eligible", "position": 1}
    )

    touchpoint_id: str
    touched_at: datetime
    channel: str
    campaign: str | None
    verdict: Verdict
    position: int | None = Field(description="Place among the eligible touches, from 1.")


class ExplainedShare(BaseModel):
    """One eligible touch under one model. ``floor_micros`` + ``extra_micros`` = ``value_micros``."""

    model_config = example(
        {"position": 1, "touchpoint_id": "t-1", "roles": ["first"], "numbers": "1/3", "weight": 0.3333333333333333}
        | {"raw_micros": "33333333.333333", "floor_micros": 33333333, "remainder_rank": 1, "extra_micros": 1}
        | {"value_micros": 33333334}
    )

    position: int
    touchpoint_id: str
    roles: list[str] = Field(description="Of: first, lead, opportunity, last_non_direct, last.")
    numbers: str = Field(description="The formula with its numbers: the exact weight, or how it comes about.")
    weight: float
    raw_micros: str = Field(description="Exact share of the value, cut to six decimals.")
    floor_micros: int
    remainder_rank: int = Field(description="Place among the remainders, the largest first.")
    extra_micros: int = Field(description="One for the first `handed_out` remainders.")
    value_micros: int


class ExplainedModel(BaseModel):
    """One model's division of the value; without an eligible touch ``shares`` is empty."""

    model_config = example(
        {"model": "linear", "applied": "linear", "formula": "w_i = 1/n", "shares": [example_of(ExplainedShare)]}
        | {"handed_out": 1, "unattributed_value_micros": 0}
    )

    model: str
    applied: str = Field(description="The model that stood in where no milestone was found; else the same.")
    formula: str
    shares: list[ExplainedShare]
    handed_out: int = Field(description="Micros that were left after rounding down, given to the largest remainders.")
    unattributed_value_micros: int


class Milestone(BaseModel):
    """A touch that holds a role."""

    model_config = example({"role": "lead", "position": 2, "touchpoint_id": "t-2"})

    role: Literal["first", "lead", "opportunity", "last_non_direct", "last"]
    position: int
    touchpoint_id: str


class ExplainedEvent(BaseModel):
    """An event that the conversion is made of, in the order in which it counts."""

    model_config = example(
        {"event_id": "v-1", "occurred_at": "2026-11-14T08:00:00Z", "status": "completed", "adjusts": None}
        | {"value_micros": 100000000, "currency": "USD"}
    )

    event_id: str
    occurred_at: datetime
    status: str
    adjusts: str | None
    value_micros: int
    currency: str


class Revision(BaseModel):
    """One row that was written; the one with the highest ``rev`` counts."""

    model_config = example(
        {"rev": 4, "converted_at": "2026-11-14T08:00:00Z", "value_micros": 100000000, "is_deleted": False}
        | {"config_hash": "9f2c41aa07be", "emitted_at": "2026-11-14T08:00:01.250000Z"}
    )

    rev: int
    converted_at: datetime
    value_micros: int
    is_deleted: bool
    config_hash: str
    emitted_at: datetime | None


class Explanation(BaseModel):
    """Why a conversion's credits are what they are, computed now from the facts by the core that attributes.

    ``matches_stored``: whether the stored row says the same. False: events that came too late or beyond a bound are
    among the facts, the stored row stands on other parameters, or it is about to be replaced.
    """

    model_config = example(
        {
            "conversion_id": "purchase:o-1001",
            "customer_id": "c-42",
            "customer_ids": ["c-42"],
            "conversion_type": "purchase",
            "converted_at": "2026-11-14T08:00:00Z",
            "value": 100.0,
            "value_micros": 100000000,
            "currency": "USD",
            "is_live": True,
            "truncated": False,
            "matches_stored": True,
            "touches": [example_of(ExplainedTouch)],
            "milestones": [example_of(Milestone)],
            "models": [example_of(ExplainedModel)],
            "events": [example_of(ExplainedEvent)],
            "history": [example_of(Revision)],
            "config": {"lookback_us": 7776000000000, "models": ["linear"]},
            "config_hash": "9f2c41aa07be",
            "model_version": "0f3a9c2e11d45b60",
            "meta": META_EXAMPLE,
        }
    )

    conversion_id: str
    customer_id: str
    customer_ids: list[str] = Field(description="All ids of the person whose events count.")
    conversion_type: str
    converted_at: datetime
    value: float
    value_micros: int
    currency: str
    is_live: bool = Field(description="False: refunded in full or cancelled; nothing is credited.")
    truncated: bool = Field(description="Touches in the window may have been dropped by the cap.")
    matches_stored: bool
    touches: list[ExplainedTouch]
    milestones: list[Milestone]
    models: list[ExplainedModel]
    events: list[ExplainedEvent]
    history: list[Revision] = Field(description="Rows still held, by `rev`; replaced ones go when the engine merges.")
    config: dict[str, Any] = Field(description="Parameters of the run; durations in microseconds.")
    config_hash: str
    model_version: str | None = Field(description="The fit behind `data_driven`; null: none counts.")
    meta: Meta
