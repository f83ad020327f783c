"""The answer of the conversion funnel. A rate is null where its divisor is 0."""

from __future__ import annotations

from datetime import date
from typing import Final

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, Meta, example

_FIRST: Final = {"number": 1, "step": "any", "customers": 4000, "rate_from_previous": None, "rate_from_first": 1.0}
_SECOND: Final = {
    "number": 2,
    "step": "conversion:purchase",
    "customers": 500,
    "rate_from_previous": 0.125,
    "rate_from_first": 0.125,
    "drop_off": 3500,
}


class FunnelStep(BaseModel):
    """How many got to one step."""

    model_config = example(_SECOND)

    number: int
    step: str = Field(description="As it is written in `step`.")
    customers: int = Field(description="Who did this step after all steps before it; linked ids are one customer.")
    rate_from_previous: float | None
    rate_from_first: float | None
    drop_off: int = Field(description="Who did the step before and not this one.")


class ConversionFunnel(BaseModel):
    """Customers by step. Those who begin in the period count, with what they did within the window after it began."""

    model_config = example(
        {"start_date": "2026-11-01", "end_date": "2026-11-24", "window_days": 30}
        | {"steps": [_FIRST | {"drop_off": 0}, _SECOND]}
        | {"meta": META_EXAMPLE | {"model": None, "currency": None}}
    )

    start_date: date
    end_date: date
    window_days: int
    steps: list[FunnelStep]
    meta: Meta
