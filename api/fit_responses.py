"""What the API says of the data-driven model: its fits, their figures, each channel's share with its interval."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from api.responses import example, example_of


class ChannelShare(BaseModel):
    """One channel of a fit. ``effect`` is in parts of 2^32 of the conversion probability and may be negative."""

    model_config = example(
        {
            "channel": "paid_search",
            "effect": 1288490188,
            "share": 0.41,
            "low": 0.38,
            "high": 0.44,
            "rank_stability": 0.97,
            "overlaps": ["email"],
        }
    )

    channel: str
    effect: int
    share: float = Field(description="Of the positive effects, 0 to 1.")
    low: float | None = Field(description="Lower end of the interval of the share; null without replicates.")
    high: float | None = Field(description="Upper end.")
    rank_stability: float | None = Field(description="Share of the replicates in which it has this rank.")
    overlaps: list[str] = Field(description="Neighbours in rank whose intervals overlap: that order is not known.")


class FitReport(BaseModel):
    """One fit. With `insufficient_data`, the model `fallback` divides conversions, and every row names it."""

    model_config = example(
        {
            "version": "0f3a9c2e11d45b60",
            "method": "markov",
            "order": 1,
            "status": "ok",
            "reason": None,
            "fallback": "linear",
            "conversions": 12840,
            "nulls": 100211,
            "trained_from": "2026-08-30T00:00:00Z",
            "trained_to": "2026-11-28T00:00:00Z",
            "effective_from": "2026-11-28T00:01:00Z",
            "is_in_force": True,
            "interval_level": 0.95,
            "channels": [example_of(ChannelShare)],
            "quality": {"conversion_probability": 0.1136},
            "warnings": ["paid_search and email: their intervals overlap, so which is ahead is not known"],
        }
    )

    version: str
    method: str
    order: int = Field(description="Touches that a state remembers; 0 where the method has no states.")
    status: Literal["ok", "insufficient_data"]
    reason: str | None
    fallback: str
    conversions: int = Field(description="Journeys with a conversion behind the fit.")
    nulls: int = Field(description="Journeys that ended in nothing.")
    trained_from: datetime
    trained_to: datetime
    effective_from: datetime = Field(description="Conversions at or after it are divided by this fit.")
    is_in_force: bool = Field(description="Whether a conversion now would be divided by it.")
    interval_level: float | None
    channels: list[ChannelShare]
    quality: dict[str, float]
    warnings: list[str]


class FitReports(BaseModel):
    """The newest fits, the one that counts last first."""

    model_config = example({"fits": [example_of(FitReport)]})

    fits: list[FitReport]
