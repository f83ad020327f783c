"""What a caller asks of ``calculate``, in the core's own units, however it was read.

There are two readers and one answer. ``read`` takes a body as bytes in one pass and knows only what is right: for
anything else it says ``None``, and the body goes the ordinary way, where ``requests.CalculateIn`` either accepts it
after all (a number as text, a list of names in another encoding) or names each field with its value and the reason.
So ``read`` may be narrower than ``CalculateIn`` and never wider, and what both accept is the same question: tested.

Pure: no clock, no store. Times are microseconds, amounts micros.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Struct

from api.requests import MAX_TOUCHPOINTS, MIN_DAYS, CalculateIn
from attribution.errors import InvalidParameterError
from attribution.models.registry import resolve
from attribution.money import to_micros
from attribution.times import to_us
from attribution.types import Touch

#: An amount below it, as a number, is always int64 micros.
_SURELY_MICROS: Final = 9_000_000_000_000

_Number: TypeAlias = int | float
_NumberOrText: TypeAlias = int | float | str
_Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
_Days: TypeAlias = Annotated[float, Meta(ge=MIN_DAYS, le=3_650)]


class Rules(NamedTuple):
    """The parameters of an attribution; ``None``: not said. Equal rules are equal keys."""

    models: tuple[str, ...] | None
    lookback_days: float | None
    half_life_days: float | None
    custom_weights: tuple[Decimal, Decimal, Decimal] | None
    direct_channels: tuple[str, ...] | None


class Question(NamedTuple):
    """One conversion, its path and the rules. ``touches`` are in the order of the request, repetitions included."""

    customer_id: str
    touches: list[Touch]
    at_us: int
    value_micros: int
    currency: str | None
    milestones: Mapping[str, int]
    rules: Rules


class _Touchpoint(Struct, forbid_unknown_fields=True, gc=False):
    id: _Text
    timestamp: _NumberOrText
    channel: _Text
    campaign: Annotated[str, Meta(max_length=256)] = ""
    cost: _NumberOrText = 0


class _Conversion(Struct, forbid_unknown_fields=True, gc=False):
    timestamp: _NumberOrText
    value: _NumberOrText


class _Body(Struct, forbid_unknown_fields=True, gc=False):
    customer_id: _Text
    touchpoints: Annotated[list[_Touchpoint], Meta(max_length=MAX_TOUCHPOINTS)]
    conversion: _Conversion
    models: Annotated[list[str], Meta(min_length=1, max_length=50)] | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] | None = None
    milestones: dict[Literal["lead_created", "opportunity_created"], _NumberOrText] = {}
    lookback_days: _Days | None = None
    half_life_days: _Days | None = None
    custom_weights: tuple[_Number, _Number, _Number] | None = None
    direct_channels: Annotated[list[_Text], Meta(max_length=100)] | None = None


_DECODER: Final = msgspec.json.Decoder(_Body)


def read(body: bytes) -> Question | None:
    """The question in a body; ``None`` when this reader is not sure of it."""
    try:
        asked = _DECODER.decode(body)
        return Question(
            asked.customer_id,
            [_touch(t) for t in asked.touchpoints],
            to_us(asked.conversion.timestamp),
            to_micros(asked.conversion.value),
            asked.currency,
            {str(name): to_us(at) for name, at in asked.milestones.items()},
            Rules(
                None if asked.models is None else tuple([resolve(name).model_id for name in asked.models]),
                asked.lookback_days,
                asked.half_life_days,
                _weights(asked.custom_weights),
                None if asked.direct_channels is None else tuple(asked.direct_channels),
            ),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidParameterError):
        return None


def of(asked: CalculateIn) -> Question:
    """The question in a validated body."""
    return Question(
        asked.customer_id,
        [(t.timestamp, t.id, t.channel, t.campaign) for t in asked.touchpoints],
        asked.conversion.timestamp,
        asked.conversion.value,
        asked.currency,
        {str(name): at_us for name, at_us in asked.milestones.items()},
        Rules(
            None if asked.models is None else tuple(asked.models),
            asked.lookback_days,
            asked.half_life_days,
            asked.custom_weights,
            None if asked.direct_channels is None else tuple(asked.direct_channels),
        ),
    )


def _touch(item: _Touchpoint) -> Touch:
    cost = item.cost
    if isinstance(cost, str) or not -_SURELY_MICROS < cost < _SURELY_MICROS:
        to_micros(cost)  # nobody reads a cost; that it is one is checked all the same
    return (to_us(item.timestamp), item.id, item.channel, item.campaign)


def _weights(given: tuple[_Number, _Number, _Number] | None) -> tuple[Decimal, Decimal, Decimal] | None:
    if given is None:
        return None
    first, middle, last = (Decimal(repr(w)) for w in given)
    return first, middle, last
