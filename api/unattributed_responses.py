"""The answer of the report on conversions that no touch could claim."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, Field

from api.funnel_store import Reason
from api.responses import META_EXAMPLE, Meta, example, example_of

_SUMS: Final = {"conversions": 12, "value": 1875.25, "value_micros": 1875250000}


class UnattributedSums(BaseModel):
    """Conversions and what they are worth."""

    model_config = example(_SUMS)

    conversions: int
    value: float
    value_micros: int


class ReasonSums(UnattributedSums):
    """One reason in the whole period; ``share`` of all unattributed conversions."""

    model_config = example({"reason": "outside_lookback", **_SUMS, "share": 0.4})

    reason: Reason
    share: float | None


class _DayAndType(BaseModel):
    date: date
    conversion_type: str
    reason: Reason


class UnattributedPoint(UnattributedSums, _DayAndType):
    """One reason and type in one interval, which begins on ``date``."""

    model_config = example({"date": "2026-11-02", "conversion_type": "purchase", "reason": "outside_lookback", **_SUMS})


class UnattributedReport(BaseModel):
    """Conversions without an eligible touch, by the reason of the touch that came nearest to being one."""

    model_config = example(
        {"start_date": "2026-11-01", "end_date": "2026-11-24", "interval": "day"}
        | {"lookback_days": 90.0, "excluded_channels": [], "reset_on_conversion": []}
        | {"reasons": [example_of(ReasonSums)], "rows": [example_of(UnattributedPoint)], "totals": _SUMS}
        | {"other_currencies": [], "converted_currencies": ["EUR"], "meta": META_EXAMPLE | {"model": None}}
    )

    start_date: date
    end_date: date
    interval: Literal["day", "week", "month"]
    lookback_days: float | None = Field(description="Of the run, as what follows; null: it has no parameters yet.")
    excluded_channels: list[str]
    reset_on_conversion: list[str]
    reasons: list[ReasonSums] = Field(description="All of them, those without conversions too.")
    rows: list[UnattributedPoint]
    totals: UnattributedSums
    other_currencies: list[str] = Field(
        description="Currencies with conversions that this report leaves out, since they have no exchange rate."
    )
    converted_currencies: list[str] = Field(
        description="Currencies with conversions that were converted, each at the rate of its own day."
    )
    meta: Meta
