"""Answers of ``/analytics``. Every table has ``to_rows()`` and ``to_frame()``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from attribution_client.frames import Table
from attribution_client.models.common import Dated, Meta, Performance
from attribution_client.money import Money, MoneyOrNone


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPerformance(Performance):
    """A channel; ``spend_through`` is the newest day with spend of it."""

    channel: str
    spend_through: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport(Dated, Table):
    """Channels with totals; the channel ``unattributed`` is always there."""

    basis: str
    channels: tuple[ChannelPerformance, ...]
    totals: Performance
    spend_behind: tuple[str, ...]

    row_path = (("channels", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPerformance(Performance):
    """A campaign of a channel."""

    channel: str
    campaign: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignReport(Dated, Table):
    """A page of campaigns; the totals are those of all pages."""

    basis: str
    campaigns: tuple[CampaignPerformance, ...]
    totals: Performance
    next_cursor: str | None

    row_path = (("campaigns", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What came back."""

    conversions: float
    revenue_micros: int
    cpa: Decimal | None
    roas: float | None
    roi: float | None
    revenue = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReturn:
    """Spend of a channel, and its return by the day of the conversion and by that of the touch."""

    channel: str
    spend_micros: int
    conversion_day: Return
    touch_day: Return
    spend = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiReport(Dated, Table):
    """Return on spend."""

    channels: tuple[ChannelReturn, ...]
    totals: ChannelReturn
    spend_behind: tuple[str, ...]

    row_path = (("channels", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePoint(Performance):
    """Sums of a channel from ``date`` on."""

    date: dt.date
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeseries(Dated, Table):
    """Sums by interval: ``day``, ``week`` (from Monday) or ``month``."""

    interval: str
    basis: str
    points: tuple[TimePoint, ...]

    row_path = (("points", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnedCredit:
    """What a touch of a journey earned."""

    model: str
    conversion_id: str
    weight: float
    value_micros: int
    currency: str
    value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyEvent:
    """A touchpoint or a conversion, by ``type``; the fields of the other kind are None."""

    type: str
    event_id: str
    occurred_at: dt.datetime
    channel: str | None = None
    campaign: str | None = None
    touch_type: str | None = None
    cost_micros: int | None = None
    conversion_id: str | None = None
    conversion_type: str | None = None
    order_id: str | None = None
    value_micros: int | None = None
    currency: str | None = None
    status: str | None = None
    adjusts: str | None = None
    credits: tuple[EarnedCredit, ...] | None = None
    cost = MoneyOrNone()
    value = MoneyOrNone()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerJourney(Table):
    """A page of a customer's events, oldest first."""

    customer_id: str
    events: tuple[JourneyEvent, ...]
    next_cursor: str | None
    meta: Meta

    row_path = (("events", ""),)
