"""What several answers share. All are frozen; a list is a tuple. Times are aware UTC, days are UTC days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from attribution_client.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What the numbers stand on; None where nothing was written yet.

    Attributes:
        run_id: of the run that is shown.
        as_of: when the aggregates were built.
        watermark: event time up to which the partitions were read.
        lag_seconds: the time since the watermark when the answer was given.
        model, currency: of the report, where it has one.
        model_version: hash of the parameters.
    """

    run_id: int
    as_of: datetime | None
    watermark: datetime | None
    lag_seconds: float | None
    model_version: str | None
    model: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """Period of a report, both days inclusive, and what it stands on.

    Attributes:
        converted_currencies: those that were converted at the rates of their days.
        other_currencies: those left out, for want of a rate.
    """

    start_date: date
    end_date: date
    other_currencies: tuple[str, ...]
    converted_currencies: tuple[str, ...]
    meta: Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Sums, and ratios of sums: None where the divisor is zero. ``conversions`` is a sum of weights."""

    conversions: float
    revenue_micros: int
    spend_micros: int
    touchpoints: int
    cpa: Decimal | None
    roas: float | None
    roi: float | None
    revenue = Money()
    spend = Money()
