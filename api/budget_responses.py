"""Response curves of channels and a budget that follows them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, Meta, example, example_of


class BudgetChannel(BaseModel):
    """One channel: its curve, what it spends and returns in a usual interval, and what the plan gives it."""

    model_config = example(
        {
            "channel": "paid_search",
            "intervals": 12,
            "elasticity": 0.62,
            "is_assumed": False,
            "r2": 0.71,
            "spend": 1000.0,
            "spend_micros": 1000000000,
            "planned_spend": 1180.0,
            "planned_spend_micros": 1180000000,
            "revenue": 4200.0,
            "revenue_micros": 4200000000,
            "planned_revenue": 4653.9,
            "planned_revenue_micros": 4653900000,
            "marginal_roas": 2.604,
            "planned_marginal_roas": 2.446,
        }
    )

    channel: str
    intervals: int = Field(description="Whole intervals with spend behind the curve.")
    elasticity: float = Field(description="Per cent of revenue for one per cent of spend; 0.05 to 0.95.")
    is_assumed: bool = Field(description="True: too few intervals, or spend hardly moved, so 0.5 is taken.")
    r2: float | None = Field(description="Part of the variance of revenue that the curve explains.")
    spend: float
    spend_micros: int = Field(description="Of a usual interval: the mean over those of the period.")
    planned_spend: float
    planned_spend_micros: int
    revenue: float
    revenue_micros: int = Field(description="What the curve gives for the spend.")
    planned_revenue: float
    planned_revenue_micros: int
    marginal_roas: float = Field(description="Revenue for one more unit of spend, on the curve at the present spend.")
    planned_marginal_roas: float


class BudgetPlan(BaseModel):
    """Channels with spend, the largest change first. Amounts are of one interval."""

    model_config = example(
        {
            "start_date": "2026-09-07",
            "end_date": "2026-11-29",
            "interval": "week",
            "intervals": 12,
            "channels": [example_of(BudgetChannel)],
            "total": 1000.0,
            "total_micros": 1000000000,
            "revenue_micros": 4200000000,
            "planned_revenue_micros": 4653900000,
            "left_out": ["sms"],
            "assumptions": ["credit follows spend, and not the other way round"],
            "warnings": ["email: its elasticity is assumed"],
            "other_currencies": [],
            "converted_currencies": [],
            "meta": META_EXAMPLE,
        }
    )

    start_date: date
    end_date: date
    interval: Literal["day", "week"]
    intervals: int = Field(description="Whole intervals of the period; those cut by its ends are left out.")
    channels: list[BudgetChannel]
    total: float
    total_micros: int = Field(description="The planned spends add up to it, to the micro.")
    revenue_micros: int
    planned_revenue_micros: int
    left_out: list[str] = Field(description="Channels with credit and without spend.")
    assumptions: list[str]
    warnings: list[str]
    other_currencies: list[str]
    converted_currencies: list[str]
    meta: Meta
