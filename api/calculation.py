"""Credits of one conversion that the caller describes: the request's units to the core and back.

Pure: no clock, no store. Raises ``Problem`` (422) for what only shows when fields are seen together.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from api.errors import Problem, invalid
from api.requests import CalculateIn, TouchpointIn
from api.responses import CalculatedCredit, CalculatedResult, Calculation, amount
from api.settings import ApiSettings
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.errors import InvalidParameterError
from attribution.types import Conversion, ConversionCredits, Touch

#: Sorts behind any milestone of the same instant, so that a milestone at the conversion's own time counts.
_CONVERSION_ID: Final = "\U0010ffff"


def calculate(asked: CalculateIn, settings: ApiSettings) -> Calculation:
    """Credits under every model that was asked for, in the order of the request, each model once.

    Raises:
        Problem: 422 with the field at fault.
    """
    at_us, currency = asked.conversion.timestamp, asked.currency or settings.reporting_currency
    conversion = Conversion(_CONVERSION_ID, "purchase", at_us, asked.conversion.value, currency)
    journey = FixedJourney(_touches(asked.touchpoints), [*_milestones(asked), conversion])
    try:
        attributor = Attributor(_config(asked, settings))
    except InvalidParameterError as error:
        raise invalid(error.field, error.value, error.way_out) from None
    found = attributor.attribute(journey, conversion)
    return Calculation(
        customer_id=asked.customer_id,
        currency=currency,
        results=[_result(found, index) for index in range(len(found.models))],
    )


def _touches(touchpoints: list[TouchpointIn]) -> list[Touch]:
    by_id: dict[str, Touch] = {}
    for index, item in enumerate(touchpoints):
        touch = (item.timestamp, item.id, item.channel, item.campaign)
        if by_id.setdefault(item.id, touch) != touch:
            raise invalid(f"touchpoints.{index}.id", item.id, "names another touchpoint before; ids must differ")
    return list(by_id.values())


def _milestones(asked: CalculateIn) -> list[Conversion]:
    for name, reached_us in asked.milestones.items():
        if reached_us > asked.conversion.timestamp:
            raise invalid(f"milestones.{name}", reached_us, "is after the conversion; a milestone comes before it")
    return [Conversion(name, name, reached_us, 0, "") for name, reached_us in asked.milestones.items()]


def _config(asked: CalculateIn, settings: ApiSettings) -> AttributionConfig:
    plain = AttributionConfig()
    direct = asked.direct_channels
    return AttributionConfig(
        models=tuple(asked.models or settings.default_models),
        lookback_us=_days_us(asked.lookback_days or settings.lookback_days),
        half_life_us=_days_us(asked.half_life_days or settings.half_life_days),
        custom_weights=asked.custom_weights or plain.custom_weights,
        direct_channels=plain.direct_channels if direct is None else frozenset(name.casefold() for name in direct),
    )


def _days_us(days: float) -> int:
    return int(Decimal(repr(days)) * DAY_US)


def _result(found: ConversionCredits, index: int) -> CalculatedResult:
    weights, micros = found.weights[index], found.micros[index]
    is_attributed = bool(found.touches[0][1])
    unattributed = 0 if is_attributed else found.conversion.value_micros
    return CalculatedResult(
        model=found.models[index],
        credits=[
            CalculatedCredit.model_construct(
                touchpoint_id=touch[1], channel=touch[2], weight=weight, value=amount(part), value_micros=part
            )
            for touch, weight, part in zip(found.touches, weights, micros, strict=True)
        ]
        if is_attributed
        else [],
        unattributed_value=amount(unattributed),
        unattributed_value_micros=unattributed,
        fallback=found.fallbacks[index] or None,
    )


def check_json(content_type: str | None) -> None:
    """Refuse a body that does not say it is JSON.

    Raises:
        Problem: 415.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, f"The body is {kind or 'of no stated type'}; send it as Content-Type: application/json.")
