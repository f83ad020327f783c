"""Answers of ``/api/v1/analytics``. Ratios are ``null`` where their divisor is zero."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, Meta, example, example_of
from api.store import Basis

_RATIOS: Final = {
    "conversions": 12.5,
    "revenue": 1875.25,
    "revenue_micros": 1875250000,
    "spend": 500.0,
    "spend_micros": 500000000,
    "touchpoints": 31,
    "cpa": 40.0,
    "roas": 3.7505,
    "roi": 2.7505,
}


class Performance(BaseModel):
    """Sums with their ratios: ``cpa`` spend / conversions, ``roas`` revenue / spend, ``roi`` = ``roas`` - 1."""

    model_config = example(_RATIOS)

    conversions: float = Field(description="Sum of weights.")
    revenue: float
    revenue_micros: int
    spend: float
    spend_micros: int
    touchpoints: int = Field(description="Touchpoints that earned credit, once per conversion.")
    cpa: float | None
    roas: float | None
    roi: float | None


class _Named(BaseModel):
    channel: str


class ChannelPerformance(Performance, _Named):  # in this order, the name is the first field
    """One channel; ``unattributed`` holds the conversions without an eligible touchpoint."""

    model_config = example({"channel": "Paid Search", **_RATIOS, "spend_through": "2026-11-23"})

    spend_through: date | None = Field(
        description="Newest day up to `end_date` with spend of this channel; null: it never had any."
    )


class ChannelNumbers(BaseModel):
    """A channel report without what it stands on."""

    start_date: date
    end_date: date
    basis: Basis = Field(description="Whether credits count on the day of the conversion or of the touch.")
    channels: list[ChannelPerformance]
    totals: Performance
    other_currencies: list[str] = Field(
        description="Currencies with rows that this report leaves out, since they have no exchange rate."
    )
    converted_currencies: list[str] = Field(
        description="Currencies with rows that were converted, each at the rate of its own day."
    )
    spend_behind: list[str] = Field(description="Channels whose spend is not yet known up to `end_date`.")


class ChannelReport(ChannelNumbers):
    """What each channel returned on its spend. Days are UTC, both ends inclusive."""

    model_config = example(
        {
            "start_date": "2026-11-01",
            "end_date": "2026-11-24",
            "basis": "conversion_day",
            "channels": [{"channel": "Paid Search", **_RATIOS, "spend_through": "2026-11-23"}],
            "totals": _RATIOS,
            "other_currencies": [],
            "converted_currencies": ["EUR", "JPY"],
            "spend_behind": ["Paid Search"],
            "meta": META_EXAMPLE,
        }
    )

    meta: Meta


class EarnedCredit(BaseModel):
    """What a touchpoint earned from one conversion, or what stayed unattributed of a conversion."""

    model_config = example(
        {
            "model": "linear",
            "conversion_id": "purchase:o-1001",
            "weight": 0.5,
            "value": 50.0,
            "value_micros": 50000000,
            "currency": "USD",
        }
    )

    model: str
    conversion_id: str
    weight: float
    value: float
    value_micros: int
    currency: str


class JourneyEvent(BaseModel):
    """A touchpoint or a conversion of a journey, as it was received."""

    model_config = example(
        {
            "type": "touchpoint",
            "event_id": "t-1",
            "occurred_at": "2026-11-20T08:15:00Z",
            "channel": "Paid Search",
            "campaign": "brand",
            "touch_type": "click",
            "cost": 0.35,
            "cost_micros": 350000,
            "currency": "USD",
            "credits": [example_of(EarnedCredit)],
        }
    )

    type: Literal["touchpoint", "conversion"]
    event_id: str
    occurred_at: datetime
    channel: str | None = None
    campaign: str | None = None
    touch_type: str | None = None
    cost: float | None = None
    cost_micros: int | None = None
    conversion_id: str | None = None
    conversion_type: str | None = None
    order_id: str | None = None
    value: float | None = None
    value_micros: int | None = None
    currency: str | None = None
    status: str | None = None
    adjusts: str | None = None
    credits: list[EarnedCredit] | None = Field(default=None, description="Present when `models` was asked for.")


class CustomerJourney(BaseModel):
    """A customer's touchpoints and conversions in order of time."""

    model_config = example(
        {
            "customer_id": "c-42",
            "events": [example_of(JourneyEvent)],
            "next_cursor": None,
            "meta": META_EXAMPLE,
        }
    )

    customer_id: str
    events: list[JourneyEvent]
    next_cursor: str | None
    meta: Meta
