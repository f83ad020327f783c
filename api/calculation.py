"""Credits of one conversion that the caller describes: a question to the core and the answer as JSON.

Pure: no clock, no store. Raises ``Problem`` (422) for what only shows when fields are seen together. The answer is
``responses.Calculation`` on the wire; it is written from plain structs, since it may hold 100,000 credits.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from api.errors import invalid
from api.question import Question, Rules
from api.settings import ApiSettings
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.errors import InvalidParameterError
from attribution.types import Conversion, ConversionCredits, Touch

#: Sorts behind any milestone of the same instant, so that a milestone at the conversion's own time counts.
_CONVERSION_ID: Final = "\U0010ffff"
_PLAIN: Final = AttributionConfig()
#: Callers choose the rules, so what is kept of them is bounded: sets of rules, and plans of paths of each.
_KEPT_RULES: Final = 32
_KEPT_PLANS: Final = 128
_ENCODER: Final = msgspec.json.Encoder()


class _Credit(Struct, gc=False):
    """``responses.CalculatedCredit``."""

    touchpoint_id: str
    channel: str
    weight: float
    value: float
    value_micros: int


class _Result(Struct, gc=False):
    """``responses.CalculatedResult``."""

    model: str
    credits: list[_Credit]
    unattributed_value: float
    unattributed_value_micros: int
    fallback: str | None


class _Calculation(Struct, gc=False):
    """``responses.Calculation``."""

    customer_id: str
    currency: str
    results: list[_Result]


def calculate(asked: Question, settings: ApiSettings) -> bytes:
    """Credits under every model that was asked for, in the order of the request, each model once; as JSON.

    Raises:
        Problem: 422 with the field at fault.
    """
    currency = asked.currency or settings.reporting_currency
    conversion = Conversion(_CONVERSION_ID, "purchase", asked.at_us, asked.value_micros, currency)
    journey = FixedJourney(_distinct(asked.touches), [*_milestones(asked), conversion])
    rules = asked.rules
    try:
        attributor = _attributor(
            Rules(
                rules.models or settings.default_models,
                rules.lookback_days or settings.lookback_days,
                rules.half_life_days or settings.half_life_days,
                rules.custom_weights,
                rules.direct_channels,
            )
        )
    except InvalidParameterError as error:
        raise invalid(error.field, error.value, error.way_out) from None
    found = attributor.attribute(journey, conversion)
    answer = _Calculation(asked.customer_id, currency, _results(found))
    return _ENCODER.encode(answer)


def _distinct(touches: list[Touch]) -> list[Touch]:
    by_id = {touch[1]: touch for touch in touches}
    if len(by_id) == len(touches):
        return touches
    first: dict[str, Touch] = {}
    for index, touch in enumerate(touches):
        if first.setdefault(touch[1], touch) != touch:
            raise invalid(f"touchpoints.{index}.id", touch[1], "names another touchpoint before; ids must differ")
    return list(first.values())


def _milestones(asked: Question) -> list[Conversion]:
    for name, reached_us in asked.milestones.items():
        if reached_us > asked.at_us:
            raise invalid(f"milestones.{name}", reached_us, "is after the conversion; a milestone comes before it")
    return [Conversion(name, name, reached_us, 0, "") for name, reached_us in asked.milestones.items()]


@lru_cache(maxsize=_KEPT_RULES)
def _attributor(rules: Rules) -> Attributor:
    """Most callers ask under the same rules again and again. Several threads may use one."""
    direct = rules.direct_channels
    config = AttributionConfig(
        models=rules.models or (),
        lookback_us=_days_us(rules.lookback_days or 0),
        half_life_us=_days_us(rules.half_life_days or 0),
        custom_weights=rules.custom_weights or _PLAIN.custom_weights,
        direct_channels=_PLAIN.direct_channels if direct is None else frozenset(name.casefold() for name in direct),
    )
    return Attributor(config, kept_plans=_KEPT_PLANS)


def _days_us(days: float) -> int:
    return int(Decimal(repr(days)) * DAY_US)


def _results(found: ConversionCredits) -> list[_Result]:
    value = found.conversion.value_micros
    if not found.touches[0][1]:
        return [_Result(model, [], value / 1_000_000, value, None) for model in found.models]
    named = [(touch[1], touch[2]) for touch in found.touches]
    return [
        _Result(
            model,
            [
                _Credit(touchpoint_id, channel, weight, part / 1_000_000, part)
                for (touchpoint_id, channel), weight, part in zip(named, weights, micros, strict=True)
            ],
            0.0,
            0,
            fallback or None,
        )
        for model, weights, micros, fallback in zip(
            found.models, found.weights, found.micros, found.fallbacks, strict=True
        )
    ]
