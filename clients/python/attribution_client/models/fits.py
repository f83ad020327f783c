"""Answers about the data-driven model, about budgets and about lift tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from attribution_client.frames import Table
from attribution_client.models.common import Dated, Meta
from attribution_client.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelShare:
    """One channel of a fit; ``low`` and ``high`` bound its share, None without replicates."""

    channel: str
    effect: int
    share: float
    low: float | None
    high: float | None
    rank_stability: float | None
    overlaps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """One fit; with ``status`` ``insufficient_data`` the model ``fallback`` stands in."""

    version: str
    method: str
    order: int
    status: str
    reason: str | None
    fallback: str
    conversions: int
    nulls: int
    trained_from: datetime
    trained_to: datetime
    effective_from: datetime
    is_in_force: bool
    interval_level: float | None
    channels: tuple[ChannelShare, ...]
    quality: dict[str, float]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReports(Table):
    """The newest fits, the one that counts last first. Rows: a channel of a fit each."""

    fits: tuple[FitReport, ...]

    row_path = (("fits", ""), ("channels", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChannel:
    """One channel of a plan, amounts of one interval; ``is_assumed``: its elasticity could not be seen."""

    channel: str
    intervals: int
    elasticity: float
    is_assumed: bool
    r2: float | None
    spend_micros: int
    planned_spend_micros: int
    revenue_micros: int
    planned_revenue_micros: int
    marginal_roas: float
    planned_marginal_roas: float
    spend = Money()
    planned_spend = Money()
    revenue = Money()
    planned_revenue = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan(Dated, Table):
    """A budget that follows response curves; read ``assumptions`` and ``warnings``."""

    interval: str
    intervals: int
    channels: tuple[BudgetChannel, ...]
    total_micros: int
    revenue_micros: int
    planned_revenue_micros: int
    left_out: tuple[str, ...]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    total = Money()

    row_path = (("channels", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftTest:
    """One experiment; days are inclusive, numbers in conversions."""

    test_id: str
    channel: str
    start_date: date
    end_date: date
    incremental_conversions: float
    standard_error: float
    note: str
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftTests(Table):
    """All that are on record."""

    tests: tuple[LiftTest, ...]

    row_path = (("tests", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftTestsKept:
    """How many were kept."""

    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedChannel:
    """Raw credit of a channel, and beside it what its tests say; None without a usable test."""

    channel: str
    credited: float
    tests: int
    factor: float | None
    factor_low: float | None
    factor_high: float | None
    calibrated: float | None
    calibrated_low: float | None
    calibrated_high: float | None
    disagreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftCalibration(Table):
    """A model's credit with what experiments say of it; read ``coverage`` and ``residual``."""

    start_date: date
    end_date: date
    channels: tuple[CalibratedChannel, ...]
    level: float
    coverage: float
    residual: float
    meta: Meta

    row_path = (("channels", ""),)
