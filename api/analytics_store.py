"""The part of the store's port behind reports by campaign, model and time, and behind explanations.

Amounts are int micros in the reporting currency, days dates (UTC). Rows without an exchange rate are in no sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from attribution.fitted import NO_FITS, Timeline

if TYPE_CHECKING:
    from api.store import Basis
    from attribution.config import AttributionConfig
    from attribution.types import ConversionEvent, Touch
    from datadriven.parameters import Parameters

#: What a row is summed over: weeks begin on Monday; "" is the whole period.
Bucket: TypeAlias = Literal["day", "week", "month", ""]


class SumsAsked(NamedTuple):
    """Which sums. ``conversion_type`` ``""`` means all types; days are inclusive."""

    start: date
    end: date
    models: tuple[str, ...]
    currency: str
    conversion_type: str
    basis: Basis
    bucket: Bucket
    by_campaign: bool
    fx_max_age_days: int


class SumKey(NamedTuple):
    """What a sum is of; ``day`` is the first of its bucket, ``campaign`` ``""`` when not asked for (or unknown)."""

    day: date
    channel: str
    campaign: str


@dataclass(frozen=True, slots=True)
class CreditSum:
    """Credits of one model: weights, revenue, touches that earned a weight above 0 (once per conversion)."""

    conversions: float
    revenue_micros: int
    touchpoints: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Credits by model and spend, which is every model's; currencies as in ``store.Page``."""

    credits: dict[str, dict[SumKey, CreditSum]]
    spend: dict[SumKey, int]
    other_currencies: tuple[str, ...]
    converted_currencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of a conversion: ``weights[i][m]`` and ``micros[i][m]`` of touch i under model m."""

    rev: int
    customer_id: str
    converted_at: datetime
    value_micros: int
    currency: str
    is_deleted: bool
    config_hash: str
    emitted_at: datetime | None
    models: tuple[str, ...]
    touch_ids: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    micros: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ConversionFacts:
    """What a conversion was computed from: rows by ``rev``, the person's ids and events, the run's parameters, fits."""

    history: Sequence[StoredRow]
    customer_ids: Sequence[str]
    touches: Sequence[Touch]
    events: Sequence[ConversionEvent]
    config: AttributionConfig
    config_hash: str
    timeline: Timeline = NO_FITS


class Analytics(Protocol):
    """Reads over the active run, beside those of ``store.Store``; blocking, raising ``Unavailable``."""

    def sums(self, asked: SumsAsked) -> Sums:
        """Credits and spend, converted and rounded as in ``Store.channel_performance``, which they add up to."""

    def conversion_facts(self, conversion_id: str) -> ConversionFacts | None:
        """Everything that explains a conversion; None if the run has no row of it."""

    def fits(self, limit: int) -> list[Parameters]:
        """So many fits of the data-driven model, the one that counts last first."""
