"""Answers of the reports over paths. Shares are parts of the conversions of the report; null where there is none."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, Meta, example, example_of

_PERIOD: Final = {"start_date": "2026-11-01", "end_date": "2026-11-24"}
_MONEY: Final = {"other_currencies": [], "converted_currencies": ["EUR"], "meta": META_EXAMPLE}
_WORTH: Final = {"conversions": 40, "value": 4120.5, "value_micros": 4120500000}


class _Period(BaseModel):
    start_date: date
    end_date: date


class _Stands(BaseModel):
    other_currencies: list[str] = Field(
        description="Currencies of conversions that this report leaves out, since they have no exchange rate."
    )
    converted_currencies: list[str] = Field(
        description="Currencies of conversions that were converted, each at the rate of its own day."
    )
    meta: Meta


class Worth(BaseModel):
    """Some conversions and what they are worth."""

    model_config = example(_WORTH)

    conversions: int
    value: float
    value_micros: int


class TouchedWorth(Worth):
    """The same with the touches of one conversion on average; each counts, equal neighbours too."""

    model_config = example(_WORTH | {"mean_touches": 2.4})

    mean_touches: float | None


class PathStep(BaseModel):
    """A place in a path."""

    model_config = example({"channel": "Paid Search", "campaign": "brand"})

    channel: str
    campaign: str | None = Field(description="null: paths by channel, or a touch that names no campaign.")


class _Shown(BaseModel):
    path: str = Field(description="The steps for people; `steps` has them exactly. `unattributed`: no touch.")
    steps: list[PathStep]


class PathRow(TouchedWorth, _Shown):
    """One path."""

    model_config = example(
        {"path": "Paid Search > Email", "steps": [{"channel": "Paid Search", "campaign": None}]}
        | {**_WORTH, "mean_touches": 2.4, "share": 0.2}
    )

    share: float | None


class TopPathsReport(_Stands, _Period):
    """The most frequent paths; ``totals`` and shares are of all that match, whatever the page."""

    model_config = example(
        _PERIOD
        | {"by": "channel", "collapse": "consecutive", "paths": [example_of(PathRow)]}
        | {"totals": example_of(TouchedWorth), "next_cursor": None, **_MONEY}
    )

    by: Literal["channel", "campaign"]
    collapse: Literal["consecutive", "none"]
    paths: list[PathRow]
    totals: TouchedWorth
    next_cursor: str | None


class _Length(BaseModel):
    touches: int
    or_more: bool = Field(description="The last row: this many touches, or more.")


class SharedWorth(Worth):
    """Some conversions with their share, and that of all rows up to this one."""

    model_config = example(_WORTH | {"share": 0.2, "cumulative_share": 0.55})

    share: float | None
    cumulative_share: float | None


class PathLengthRow(SharedWorth, _Length):
    """Conversions of one number of touches."""

    model_config = example({"touches": 2, "or_more": False, **example_of(SharedWorth)})


class PathLengthReport(_Stands, _Period):
    """How many touches conversions have; 0: no touch was eligible."""

    model_config = example(
        _PERIOD | {"lengths": [example_of(PathLengthRow)], "totals": example_of(TouchedWorth), **_MONEY}
    )

    lengths: list[PathLengthRow]
    totals: TouchedWorth


class LagQuantiles(BaseModel):
    """Quantiles of the time, in seconds, over all conversions with a touch; null where none has.

    Exact over times cut to whole seconds, linear between the two nearest ones: type 7 of Hyndman and Fan, Sample
    Quantiles in Statistical Packages, 1996.
    """

    model_config = example(
        {"p25_seconds": 86400.0, "median_seconds": 518400.0, "p75_seconds": 1036800.5}
        | {"p90_seconds": 1728000.0, "p95_seconds": 2160000.0}
    )

    p25_seconds: float | None
    median_seconds: float | None
    p75_seconds: float | None
    p90_seconds: float | None
    p95_seconds: float | None


class LagBucket(BaseModel):
    """Conversions by time since the first and since the last touch: at least ``from_seconds``, below ``to_seconds``."""

    model_config = example(
        {"bucket": "1-24 h", "from_seconds": 3600, "to_seconds": 86400}
        | {"since_first_touch": example_of(SharedWorth), "since_last_touch": example_of(SharedWorth)}
    )

    bucket: str
    from_seconds: int | None = Field(description="null: `no touch`.")
    to_seconds: int | None = Field(description="null: `no touch`, or no end.")
    since_first_touch: SharedWorth
    since_last_touch: SharedWorth


class TimeLagReport(_Stands, _Period):
    """How long conversions take from their first and from their last touch."""

    model_config = example(
        _PERIOD
        | {"buckets": [example_of(LagBucket)], "totals": example_of(Worth)}
        | {"since_first_touch": example_of(LagQuantiles), "since_last_touch": example_of(LagQuantiles), **_MONEY}
    )

    buckets: list[LagBucket]
    since_first_touch: LagQuantiles
    since_last_touch: LagQuantiles
    totals: Worth


class ChannelAssists(BaseModel):
    """What part one channel has in conversions, as in Google Analytics (support.google.com/analytics/answer/1191204).

    ``last_touch``: it is the last touch ("last click or direct conversions" there). ``assisted``: it is on the path in
    any place but the last, be it the last as well. ``first_touch``: it is the first touch. ``assisted_ratio``: assisted
    by last-touch conversions; below 1 the channel rather closes, above 1 it rather assists.
    """

    model_config = example(
        {"channel": "Email"}
        | {"last_touch_conversions": 20, "last_touch_value": 2000.0, "last_touch_value_micros": 2000000000}
        | {"assisted_conversions": 30, "assisted_value": 3300.0, "assisted_value_micros": 3300000000}
        | {"first_touch_conversions": 10, "first_touch_value": 950.0, "first_touch_value_micros": 950000000}
        | {"assisted_ratio": 1.5}
    )

    channel: str
    last_touch_conversions: int
    last_touch_value: float
    last_touch_value_micros: int
    assisted_conversions: int
    assisted_value: float
    assisted_value_micros: int
    first_touch_conversions: int
    first_touch_value: float
    first_touch_value_micros: int
    assisted_ratio: float | None = Field(description="null: the channel was never the last touch.")


class AssistsReport(_Stands, _Period):
    """What part channels have in conversions. One conversion may be assisted by several, so that column has no sum."""

    model_config = example(
        _PERIOD
        | {"channels": [example_of(ChannelAssists)], "totals": example_of(Worth)}
        | {"unattributed": {"conversions": 3, "value": 99.0, "value_micros": 99000000}, **_MONEY}
    )

    channels: list[ChannelAssists]
    totals: Worth = Field(description="Conversions with a touch: the sum over channels of their last touches.")
    unattributed: Worth = Field(description="Conversions without a touch; they are in no channel.")
