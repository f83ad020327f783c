"""Answers of the reports by campaign, by basis, over time and by model. A ratio is null where its divisor is 0."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, Field

from api.analytics_responses import Performance
from api.responses import META_EXAMPLE, Meta, example, example_of
from api.store import Basis

_SUMS: Final = example_of(Performance)
_PERIOD: Final = {"start_date": "2026-11-01", "end_date": "2026-11-24"}
_MONEY: Final = {"other_currencies": [], "converted_currencies": ["EUR"]}
_OTHER: Final = "Currencies with rows that this report leaves out, since they have no exchange rate."
_CONVERTED: Final = "Currencies with rows that were converted, each at the rate of its own day."


class _Days(BaseModel):
    start_date: date
    end_date: date


class _Money(BaseModel):
    other_currencies: list[str] = Field(description=_OTHER)
    converted_currencies: list[str] = Field(description=_CONVERTED)
    meta: Meta


class _Channel(BaseModel):
    channel: str


class _Campaign(_Channel):
    campaign: str | None = Field(description="null: touches or spend that name no campaign.")


class CampaignPerformance(Performance, _Campaign):
    """One campaign of one channel."""

    model_config = example({"channel": "Paid Search", "campaign": "brand", **_SUMS})


class CampaignReport(_Money, _Days):
    """What each campaign returned on its spend; ``totals`` are of all pages."""

    model_config = example(
        _PERIOD
        | {"basis": "conversion_day", "campaigns": [example_of(CampaignPerformance)], "totals": _SUMS}
        | {"next_cursor": None, **_MONEY, "meta": META_EXAMPLE}
    )

    basis: Basis
    campaigns: list[CampaignPerformance]
    totals: Performance
    next_cursor: str | None


class _DayOf(BaseModel):
    date: date


class TimePoint(Performance, _Channel, _DayOf):
    """One channel in one interval, which begins on ``date``."""

    model_config = example({"date": "2026-11-02", "channel": "Paid Search", **_SUMS})


class Timeseries(_Money, _Days):
    """Sums over time; an interval in which a channel has no credit and no spend has no point."""

    model_config = example(
        _PERIOD
        | {"interval": "week", "basis": "conversion_day", "points": [example_of(TimePoint)]}
        | {**_MONEY, "meta": META_EXAMPLE}
    )

    interval: Literal["day", "week", "month"]
    basis: Basis
    points: list[TimePoint]


class Return(BaseModel):
    """Credits of a channel by one basis, against its spend."""

    model_config = example(
        {"conversions": 12.5, "revenue": 1875.25, "revenue_micros": 1875250000, "cpa": 40.0, "roas": 3.7505}
        | {"roi": 2.7505}
    )

    conversions: float
    revenue: float
    revenue_micros: int
    cpa: float | None
    roas: float | None
    roi: float | None


class ChannelReturn(_Channel):
    """One channel's spend, and what came back for it by either basis."""

    model_config = example(
        {"channel": "Paid Search", "spend": 500.0, "spend_micros": 500000000}
        | {"conversion_day": example_of(Return), "touch_day": example_of(Return)}
    )

    spend: float
    spend_micros: int
    conversion_day: Return
    touch_day: Return


class RoiReport(_Money, _Days):
    """Return on spend by both bases. ``channel`` of ``totals`` is ``total``."""

    model_config = example(
        _PERIOD
        | {"channels": [example_of(ChannelReturn)], "totals": example_of(ChannelReturn) | {"channel": "total"}}
        | {"spend_behind": [], **_MONEY, "meta": META_EXAMPLE}
    )

    channels: list[ChannelReturn]
    totals: ChannelReturn
    spend_behind: list[str] = Field(description="Channels whose spend is not yet known up to `end_date`.")


class ModelShare(BaseModel):
    """What one model gives a channel; ``share`` of all revenue under that model."""

    model_config = example(
        {"model": "linear", "conversions": 12.5, "revenue": 1875.25, "revenue_micros": 1875250000, "share": 0.41}
    )

    model: str
    conversions: float
    revenue: float
    revenue_micros: int
    share: float | None


class ChannelComparison(_Channel):
    """One channel under every model."""

    model_config = example(
        {"channel": "Paid Search", "models": [example_of(ModelShare)], "spread": 12.0, "spread_micros": 12000000}
        | {"spread_share": 0.08}
    )

    models: list[ModelShare]
    spread: float
    spread_micros: int = Field(description="Largest minus smallest revenue under any of the models.")
    spread_share: float | None = Field(description="The same of the shares.")


class ModelDistance(BaseModel):
    """How far two models are apart: the part of the revenue that one gives to other channels than the other."""

    model_config = example({"a": "first_touch", "b": "last_touch", "distance": 0.31})

    a: str
    b: str
    distance: float | None


class ModelComparison(_Money, _Days):
    """Models side by side.

    ``distance`` is the total variation distance of two distributions of revenue over channels, half the sum of
    |share_a - share_b| (Levin, Peres, Markov Chains and Mixing Times, 4.1): 0 alike, 1 nothing in common.
    ``disagreement_index`` is its mean over all pairs of models.
    """

    model_config = example(
        _PERIOD
        | {"channels": [example_of(ChannelComparison)], "distances": [example_of(ModelDistance)]}
        | {"disagreement_index": 0.31, **_MONEY, "meta": META_EXAMPLE}
    )

    channels: list[ChannelComparison]
    distances: list[ModelDistance]
    disagreement_index: float | None = Field(description="null: fewer than two models, or no revenue.")
