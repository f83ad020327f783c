"""Answers about paths, funnels and conversions without a touch. Counts are of whole conversions or customers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from attribution_client.frames import Table
from attribution_client.models.common import Dated, Meta
from attribution_client.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Some conversions and what they are worth."""

    conversions: int
    value_micros: int
    value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedWorth(Worth):
    """The same with the touches of one conversion on average."""

    mean_touches: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """A place in a path."""

    channel: str
    campaign: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRow(TouchedWorth):
    """One path; ``steps`` is the path exactly, ``path`` is for people."""

    path: str
    steps: tuple[PathStep, ...]
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopPathsReport(Dated, Table):
    """A page of paths; totals and shares are of all that match."""

    by: str
    collapse: str
    paths: tuple[PathRow, ...]
    totals: TouchedWorth
    next_cursor: str | None

    row_path = (("paths", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathLengthRow(Worth):
    """Conversions of one number of touches; ``or_more``: and of larger ones."""

    touches: int
    or_more: bool
    share: float | None
    cumulative_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathLengthReport(Dated, Table):
    """How many touches conversions have."""

    lengths: tuple[PathLengthRow, ...]
    totals: TouchedWorth

    row_path = (("lengths", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWorth(Worth):
    """Some conversions with their share, and that of all rows up to this one."""

    share: float | None
    cumulative_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LagBucket:
    """Conversions by time since the first and since the last touch: at least ``from_seconds``, below ``to_seconds``."""

    bucket: str
    from_seconds: int | None
    to_seconds: int | None
    since_first_touch: SharedWorth
    since_last_touch: SharedWorth


@dataclass(frozen=True, slots=True, kw_only=True)
class LagQuantiles:
    """Quantiles in seconds; None where no conversion has a touch."""

    p25_seconds: float | None
    median_seconds: float | None
    p75_seconds: float | None
    p90_seconds: float | None
    p95_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLagReport(Dated, Table):
    """How long conversions take."""

    buckets: tuple[LagBucket, ...]
    since_first_touch: LagQuantiles
    since_last_touch: LagQuantiles
    totals: Worth

    row_path = (("buckets", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAssists:
    """What part a channel has in conversions."""

    channel: str
    last_touch_conversions: int
    last_touch_value_micros: int
    assisted_conversions: int
    assisted_value_micros: int
    first_touch_conversions: int
    first_touch_value_micros: int
    assisted_ratio: float | None
    last_touch_value = Money()
    assisted_value = Money()
    first_touch_value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistsReport(Dated, Table):
    """Channels; one conversion may be assisted by several, so assisted ones have no sum."""

    channels: tuple[ChannelAssists, ...]
    totals: Worth
    unattributed: Worth

    row_path = (("channels", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """How many customers got to a step."""

    number: int
    step: str
    customers: int
    rate_from_previous: float | None
    rate_from_first: float | None
    drop_off: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionFunnel(Table):
    """Customers by step; those who begin in the period count."""

    start_date: dt.date
    end_date: dt.date
    window_days: int
    steps: tuple[FunnelStep, ...]
    meta: Meta

    row_path = (("steps", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonSums(Worth):
    """One reason in the whole period."""

    reason: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnattributedPoint(Worth):
    """One reason and type in the interval that begins on ``date``."""

    date: dt.date
    conversion_type: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnattributedReport(Dated, Table):
    """Conversions without an eligible touch, by the reason of the touch that came nearest."""

    interval: str
    lookback_days: float | None
    excluded_channels: tuple[str, ...]
    reset_on_conversion: tuple[str, ...]
    reasons: tuple[ReasonSums, ...]
    rows: tuple[UnattributedPoint, ...]
    totals: Worth

    row_path = (("rows", ""),)
