"""Answers about the data-driven model and about budgets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from attribution_client.frames import Table
from attribution_client.models.common import Dated
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
