"""Why a conversion's credits are what they are: every touch with its verdict, every model with its numbers.

Nothing is computed a second time: the state is that of ``recompute``, the eligible touches, the path, the weights and
the micros are the ``Attributor``'s. This module names what they passed over, and takes the division of the value apart;
it raises ``AssertionError`` if the parts do not give the credits. Times are microseconds since the epoch, amounts int
micros. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from attribution.attribute import Attributor, JourneyView
from attribution.config import DAY_US, AttributionConfig
from attribution.conversions import conversion_keys, current
from attribution.fitted import NO_FITS, Timeline
from attribution.models.base import Path
from attribution.models.registry import resolve
from attribution.recompute import states
from attribution.types import Conversion, ConversionCredits, ConversionEvent, Touch

#: Why a touch may or may not get credit. ``cap``: the journey keeps the first touch and the newest ones only.
Verdict: TypeAlias = Literal[
    "eligible", "duplicate", "after_conversion", "outside_lookback", "before_reset", "excluded_channel", "cap"
]

#: Fractions with more digits are shown as a decimal.
_SHOWN_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class ConsideredTouch:
    """One touch that was received. ``position`` counts eligible touches from 1; None: it is not one of them."""

    touch: Touch
    verdict: Verdict
    position: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """One eligible touch under one model.

    ``weight`` is ``numerator / total`` of its model. ``raw`` is the exact share of the value in micros, ``floor`` the
    part that is given first, and ``extra`` what largest remainder adds (0 or 1, with the sign of the value); their sum
    is ``micros``. ``remainder_rank`` is the place among the remainders, the largest first, ties to the earlier touch.
    """

    position: int
    roles: tuple[str, ...]
    numbers: str
    weight: float
    raw: Fraction
    floor: int
    remainder_rank: int
    extra: int
    micros: int


@dataclass(frozen=True, slots=True)
class ModelExplanation:
    """One model's division. ``applied`` is the model that stood in, where ``model`` found no milestone."""

    model: str
    applied: str
    formula: str
    parts: tuple[Part, ...]
    handed_out: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of one conversion. ``path`` is None without an eligible touch: all models leave the value unattributed."""

    conversion: Conversion
    credits: ConversionCredits
    config: AttributionConfig
    touches: tuple[ConsideredTouch, ...]
    models: tuple[ModelExplanation, ...]
    path: Path | None
    events: tuple[ConversionEvent, ...]


def explain(
    conversion_id: str,
    touches: Sequence[Touch],
    events: Sequence[ConversionEvent],
    config: AttributionConfig,
    timeline: Timeline = NO_FITS,
) -> Explanation | None:
    """Explain one conversion of a customer; None if no event speaks of it.

    Args:
        conversion_id: which one.
        touches: every touch that was received, in any order, duplicates welcome.
        events: every conversion and correction.
        config: the parameters.
        timeline: the fits of ``data_driven``.

    Raises:
        InvalidParameterError: a parameter cannot be used.
    """
    attributor = Attributor(config, timeline=timeline)
    found: Explanation | None = None
    for journey, conversion in states(touches, events, config):
        if conversion.conversion_id == conversion_id:
            found = _explain(attributor, journey, conversion, touches, events)
    return found


def formula(model: str) -> str:
    """The formula of a model, by id."""
    return resolve(model).formula


def _explain(
    attributor: Attributor,
    journey: JourneyView,
    conversion: Conversion,
    touches: Sequence[Touch],
    events: Sequence[ConversionEvent],
) -> Explanation:
    credits_ = attributor.attribute(journey, conversion)
    eligible = attributor.eligible(journey, conversion)
    path = attributor.path(journey, conversion, eligible) if eligible else None
    counting, _ = current(sorted(events))
    keys = conversion_keys(counting, counting)
    return Explanation(
        conversion,
        credits_,
        attributor.config,
        tuple(_considered(attributor, journey, conversion, touches, eligible)),
        tuple(_model(m, credits_, path, attributor.config) for m in range(len(credits_.models)))
        if path is not None and conversion.is_live
        else (),
        path,
        tuple(e for e, key in zip(counting, keys, strict=True) if key == conversion.conversion_id),
    )


def _considered(
    attributor: Attributor,
    journey: JourneyView,
    conversion: Conversion,
    touches: Sequence[Touch],
    eligible: Sequence[Touch],
) -> list[ConsideredTouch]:
    positions = {touch: i for i, touch in enumerate(eligible, start=1)}
    kept = {touch[1]: touch for touch in journey.touches}
    low_us = conversion.at_us - attributor.config.lookback_us
    considered, seen = [], set()
    for touch in sorted(touches):
        position = None if touch in seen else positions.get(touch)
        verdict: Verdict
        if touch in seen or kept.get(touch[1], touch) != touch:
            verdict = "duplicate"
        elif position is not None:
            verdict = "eligible"
        elif touch[0] > conversion.at_us:
            verdict = "after_conversion"
        elif touch[0] < low_us:
            verdict = "outside_lookback"
        elif touch[1] not in kept:
            verdict = "cap"
        elif touch[2].casefold() in attributor.config.folded_exclusions:
            verdict = "excluded_channel"
        else:
            verdict = "before_reset"
        seen.add(touch)
        considered.append(ConsideredTouch(touch, verdict, position))
    return considered


def _model(index: int, credits_: ConversionCredits, path: Path, config: AttributionConfig) -> ModelExplanation:
    name = credits_.models[index]
    rule = resolve(credits_.fallbacks[index] or name)
    numerators, value = rule.numerators(path, config), credits_.conversion.value_micros
    total, sign = sum(numerators), -1 if value < 0 else 1
    divided = [divmod(abs(value) * n, total) for n in numerators]
    order = sorted(range(len(divided)), key=lambda i: -divided[i][1])
    ranks = {position: rank for rank, position in enumerate(order, start=1)}
    handed_out = abs(value) - sum(floor for floor, _ in divided)
    roles, parts = path.roles(), []
    for i, (numerator, (floor, _)) in enumerate(zip(numerators, divided, strict=True)):
        extra = int(ranks[i] <= handed_out)
        parts.append(
            Part(
                position=i + 1,
                roles=tuple(role for role, position in roles.items() if position == i),
                numbers=_numbers(rule.model_id, path, i, Fraction(numerator, total), config),
                weight=numerator / total,
                raw=Fraction(value * numerator, total),
                floor=sign * floor,
                remainder_rank=ranks[i],
                extra=sign * extra,
                micros=sign * (floor + extra),
            )
        )
    if (tuple(p.weight for p in parts), tuple(p.micros for p in parts)) != (
        credits_.weights[index],
        credits_.micros[index],
    ):
        raise AssertionError(f"the explanation of {name} does not give the credits of {credits_.conversion}")
    return ModelExplanation(name, rule.model_id, rule.formula, tuple(parts), handed_out)


def _numbers(model_id: str, path: Path, i: int, weight: Fraction, config: AttributionConfig) -> str:
    """The formula with its numbers put in."""
    shown = f"{float(weight):.12g}"
    if model_id == "time_decay":
        age_days = (path.touches[-1][0] - path.touches[i][0]) / DAY_US
        return f"2^(-{age_days:.6g} d / {config.half_life_us / DAY_US:.6g} d) / sum = {shown}"
    if model_id == "data_driven":
        effects = resolve(model_id).numerators(path, config)
        return f"{effects[i]} / {sum(effects)} = {shown}"
    exact = str(weight)
    return exact if len(exact) <= _SHOWN_DIGITS else shown
