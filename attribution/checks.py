"""The laws that every model keeps. ``check_model`` tries all of them on one case; hypothesis supplies the cases.

Each law is a function ``(model_id, case) -> None`` that raises ``LawBrokenError`` with the numbers at fault. A new
model needs no new test: what is in the registry is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Final, TypeAlias

from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.errors import LawBrokenError
from attribution.models import rules
from attribution.models.registry import resolve
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits, Touch


@dataclass(frozen=True, slots=True)
class Case:
    """One conversion of a journey with its parameters. ``conversions`` holds the others, milestones among them."""

    touches: tuple[Touch, ...]
    conversion: Conversion
    conversions: tuple[Conversion, ...] = ()
    config: AttributionConfig = field(default_factory=AttributionConfig)

    def credits(self, model_id: str) -> ConversionCredits:
        """What the hot path says."""
        return Attributor(replace(self.config, models=(model_id,))).attribute(self._journey(), self.conversion)

    def eligible(self) -> tuple[Touch, ...]:
        """The touches that may get credit."""
        return Attributor(self.config).eligible(self._journey(), self.conversion)

    def _journey(self) -> FixedJourney:
        return FixedJourney(self.touches, [*self.conversions, self.conversion])


Law: TypeAlias = Callable[[str, Case], None]


def check_model(model_id: str, case: Case) -> None:
    """Try every law on one model and one case.

    Raises:
        LawBrokenError: names the law, the model and the numbers.
        UnknownModelError: no such model.
    """
    for law in (*LAWS, *LAWS_OF_RULES.get(resolve(model_id).numerators, ())):
        law(model_id, case)


def conserves_weight_and_value(model_id: str, case: Case) -> None:
    """Weights sum to 1 and micros exactly to the value; there is always a credit."""
    found = case.credits(model_id)
    _demand(found.touches != (), "a live conversion has credits", model_id, found)
    _demand(math.isclose(math.fsum(found.weights[0]), 1, abs_tol=1e-9), "weights sum to 1", model_id, found)
    _demand(sum(found.micros[0]) == case.conversion.value_micros, "micros sum to the value", model_id, found)


def gives_each_eligible_touch_one_fair_share(model_id: str, case: Case) -> None:
    """One non-negative weight for each eligible touch in order; micros are within one of weight times value."""
    found = case.credits(model_id)
    expected = case.eligible() or ((case.conversion.at_us, "", UNATTRIBUTED, ""),)
    _demand(found.touches == expected, "touches are the eligible ones, in order", model_id, found)
    _demand(len(found.weights[0]) == len(found.micros[0]) == len(expected), "one credit each", model_id, found)
    _demand(all(w >= 0 for w in found.weights[0]), "weights are not negative", model_id, found)
    value = case.conversion.value_micros
    for weight, micros in zip(found.weights[0], found.micros[0], strict=True):
        off = abs(micros - Fraction(weight) * value)
        _demand(off <= 1 + abs(value) * Fraction(1, 2**52), "micros follow the weight", model_id, found)


def gives_a_lone_touch_everything(model_id: str, case: Case) -> None:
    """With one touch all models agree."""
    for touch in case.eligible():
        found = replace(case, touches=(touch,)).credits(model_id)
        _demand(found.weights == ((1.0,),), "one touch gets weight 1", model_id, found)
        _demand(found.micros == ((case.conversion.value_micros,),), "one touch gets the value", model_id, found)


def ignores_the_order_of_arrival(model_id: str, case: Case) -> None:
    """The touches are a set, also when times are equal: any order gives the same credits."""
    found = case.credits(model_id)
    for touches in (case.touches[::-1], case.touches[1::2] + case.touches[::2]):
        other = replace(case, touches=touches, conversions=case.conversions[::-1]).credits(model_id)
        _demand(found == other, "arrival order changes nothing", model_id, found, other)


def is_shift_invariant(model_id: str, case: Case) -> None:
    """The same journey at another time of the calendar has the same credits."""
    for shift in (1, DAY_US, 7 * DAY_US + 12_345):
        moved = Case(
            tuple((at + shift, *rest) for at, *rest in case.touches),  # type: ignore[misc]  # a star loses the types
            replace(case.conversion, at_us=case.conversion.at_us + shift),
            tuple(replace(c, at_us=c.at_us + shift) for c in case.conversions),
            case.config,
        )
        _same_numbers(case.credits(model_id), moved.credits(model_id), "a shift changes nothing", model_id)


def mirrors_negative_values(model_id: str, case: Case) -> None:
    """credits(-V) = -credits(V), with the same weights; a value of 0 gives zeros with the same weights."""
    found = case.credits(model_id)
    for factor in (-1, 0):
        conversion = replace(case.conversion, value_micros=factor * case.conversion.value_micros)
        other = replace(case, conversion=conversion).credits(model_id)
        _demand(found.weights == other.weights, "weights do not depend on the value", model_id, found, other)
        expected = tuple(factor * m for m in found.micros[0])
        _demand(other.micros[0] == expected, f"value times {factor} is credits times {factor}", model_id, found, other)


def redistributes_what_is_excluded(model_id: str, case: Case) -> None:
    """Excluding a channel equals never having had its touches; excluding all leaves it unattributed."""
    channels = {t[2] for t in case.touches}
    for excluded in (*({c} for c in sorted(channels)), channels):
        config = replace(case.config, exclude_channels=case.config.exclude_channels | {c.upper() for c in excluded})
        gone = {c.casefold() for c in excluded}
        without = replace(case, touches=tuple(t for t in case.touches if t[2].casefold() not in gone))
        found, other = replace(case, config=config).credits(model_id), without.credits(model_id)
        _demand(found == other, "exclusion equals absence", model_id, found, other)
    if channels:
        _demand(found.touches[0][2] == UNATTRIBUTED, "all excluded is unattributed", model_id, found)


def keeps_the_window_to_the_microsecond(model_id: str, case: Case) -> None:
    """Both ends of the window count; one microsecond outside changes nothing."""
    at_us, config = case.conversion.at_us, replace(case.config, exclude_channels=frozenset())
    bare = replace(case, config=config, conversions=_without_resets(case))
    found = bare.credits(model_id)
    for time_us in (at_us - config.lookback_us - 1, at_us + 1):
        other = replace(bare, touches=(*case.touches, (time_us, "outside", "edge", ""))).credits(model_id)
        _demand(found == other, "a touch outside the window changes nothing", model_id, found, other)
    for time_us in (at_us - config.lookback_us, at_us):
        touch: Touch = (time_us, "inside", "edge", "")
        other = replace(bare, touches=(*case.touches, touch)).credits(model_id)
        _demand(touch in other.touches, "a touch at the end of the window counts", model_id, other)


def a_wider_window_drops_no_touch(model_id: str, case: Case) -> None:
    """What is eligible stays eligible when the window grows."""
    wider = replace(case, config=replace(case.config, lookback_us=case.config.lookback_us * 2 + DAY_US))
    found, other = case.credits(model_id), wider.credits(model_id)
    _demand(set(case.eligible()) <= set(other.touches), "a wider window keeps every touch", model_id, found, other)


def writes_nothing_for_a_cancelled_conversion(model_id: str, case: Case) -> None:
    """A conversion that is not live has no credit."""
    found = replace(case, conversion=replace(case.conversion, is_live=False)).credits(model_id)
    _demand((found.touches, found.weights, found.micros) == ((), (), ()), "no credits", model_id, found)


def two_touches_share_equally(model_id: str, case: Case) -> None:
    """With two touches the rule is linear."""
    for path in _paths(case, 2):
        found = path.credits(model_id)
        _demand(found.weights == ((0.5, 0.5),), "two touches share equally", model_id, found)


def three_touches_are_40_20_40(model_id: str, case: Case) -> None:
    """With three touches the shares are 40, 20 and 40 %."""
    for path in _paths(case, 3):
        found = path.credits(model_id)
        _demand(found.weights == ((0.4, 0.2, 0.4),), "three touches get 40/20/40", model_id, found)


def older_never_outweighs_newer(model_id: str, case: Case) -> None:
    """Weights never fall along the path; equal times have equal weights."""
    found = case.credits(model_id)
    weights = found.weights[0]
    _demand(list(weights) == sorted(weights), "a newer touch has at least the weight", model_id, found)
    for (a, b), (u, v) in zip(pairwise(found.touches), pairwise(weights), strict=True):
        _demand(a[0] != b[0] or u == v, "touches of one instant weigh the same", model_id, found)


def a_later_conversion_changes_no_weight(model_id: str, case: Case) -> None:
    """Only the distances between touches count, not the one to the conversion."""
    touches = case.eligible()
    later = replace(case.conversion, at_us=case.conversion.at_us + DAY_US)
    config = replace(case.config, lookback_us=case.config.lookback_us + DAY_US)
    found = Case(touches, case.conversion, (), config).credits(model_id)
    _same_numbers(found, Case(touches, later, (), config).credits(model_id), "a delay changes nothing", model_id)


def an_endless_half_life_is_linear(model_id: str, case: Case) -> None:
    """The longer the half-life, the nearer to equal shares."""
    found = replace(case, config=replace(case.config, half_life_us=10**9 * DAY_US)).credits(model_id)
    equal = 1 / len(found.touches)
    _demand(all(math.isclose(w, equal, rel_tol=1e-5) for w in found.weights[0]), "nearly equal", model_id, found)


LAWS: Final[tuple[Law, ...]] = (
    conserves_weight_and_value,
    gives_each_eligible_touch_one_fair_share,
    gives_a_lone_touch_everything,
    ignores_the_order_of_arrival,
    is_shift_invariant,
    mirrors_negative_values,
    redistributes_what_is_excluded,
    keeps_the_window_to_the_microsecond,
    a_wider_window_drops_no_touch,
    writes_nothing_for_a_cancelled_conversion,
)

#: Laws that one rule keeps beside the common ones.
LAWS_OF_RULES: Final[dict[Callable[..., Sequence[int]], tuple[Law, ...]]] = {
    rules.linear: (two_touches_share_equally,),
    rules.u_shaped: (two_touches_share_equally, three_touches_are_40_20_40),
    rules.time_decay: (
        older_never_outweighs_newer,
        a_later_conversion_changes_no_weight,
        an_endless_half_life_is_linear,
    ),
}


def _demand(holds: bool, law: str, model_id: str, *found: object) -> None:
    if not holds:
        raise LawBrokenError(f"{model_id} breaks the law {law!r}: " + " | ".join(repr(f) for f in found))


def _same_numbers(one: ConversionCredits, other: ConversionCredits, law: str, model_id: str) -> None:
    same = (one.weights, one.micros, one.fallbacks) == (other.weights, other.micros, other.fallbacks)
    _demand(same, law, model_id, one, other)


def _without_resets(case: Case) -> tuple[Conversion, ...]:
    return tuple(c for c in case.conversions if c.conversion_type not in case.config.reset_on_conversion)


def _paths(case: Case, n: int) -> list[Case]:
    """The case cut to n neighbouring eligible touches, without other conversions."""
    touches = case.eligible()
    return [replace(case, touches=touches[i : i + n], conversions=()) for i in range(len(touches) - n + 1)]
