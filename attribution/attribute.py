"""One conversion, all models, one pass: the hot path of the product.

``Attributor(config)`` resolves the models once; ``attribute`` is then a pure function of the journey's set of
events. A touch is eligible in ``[T - lookback, T]``, both ends included to the microsecond, if its channel is not
excluded and, with ``reset_on_conversion``, if it is later than the previous live conversion of those types (by
``Conversion.order``; a touch at the very time of a conversion belongs to that one). Exclusion comes before the
weights, so what an excluded touch would have got goes to the others.

Weights are exact rationals until they are written as doubles; the micros of each model sum to the value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from attribution.config import AttributionConfig
from attribution.errors import InvalidParameterError
from attribution.fitted import NO_FITS, Fit, Timeline
from attribution.models.base import LEAD, OPPORTUNITY, Model, Path, Shares, shares
from attribution.models.milestones import milestone_times
from attribution.models.registry import resolve
from attribution.models.rules import check_custom_weights, fitted_shares
from attribution.money import split_micros
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits, Touch

#: Plans of longer paths are computed each time: keeping them would hold megabytes for little.
_CACHED_TOUCHES: Final = 32
_CACHED_PLANS: Final = 4_096
_FEW_CONVERSIONS: Final = 16


class _Plan(NamedTuple):
    """What all paths of one length with the same positions share, model by model.

    ``slots[m]`` is the index of model m's shares in ``distinct``: models that agree (short paths, fallbacks)
    divide the value once. ``timed`` are the models whose shares must be computed for each path, by its times or its
    channels.
    """

    weights: tuple[tuple[float, ...], ...]
    distinct: tuple[Shares, ...]
    slots: tuple[int, ...]
    timed: tuple[int, ...]
    fallbacks: tuple[str, ...]


class JourneyView(Protocol):
    """What attribution reads of a journey."""

    rev: int
    truncated: bool

    @property
    def touches(self) -> Sequence[Touch]:
        """Sorted by ``(at_us, event_id)``."""
        ...

    def conversions(self) -> Sequence[Conversion]:
        """Corrections applied, sorted by ``Conversion.order``."""
        ...


@dataclass(slots=True)
class FixedJourney:
    """A journey whose touches and conversions are given, for callers that hold no events. Sorts both."""

    touches: Sequence[Touch]
    known_conversions: Sequence[Conversion] = ()
    rev: int = 1
    truncated: bool = False

    def __post_init__(self) -> None:
        self.touches = sorted(self.touches)
        self.known_conversions = sorted(self.known_conversions, key=lambda c: c.order)

    def conversions(self) -> Sequence[Conversion]:
        """The given conversions."""
        return self.known_conversions


class Attributor:
    """A configuration made ready to attribute many conversions.

    ``models`` are the ids in the order of the credits: aliases resolved, repetitions dropped. ``timeline`` holds the
    fits of ``data_driven``; it may be replaced by one with more of them at any time.
    """

    __slots__ = (
        "_direct",
        "_exclude",
        "_found",
        "_found_anchors",
        "_kept_plans",
        "_lookback_us",
        "_no_fallbacks",
        "_plans",
        "_reads_fits",
        "_reads_milestones",
        "_scanned",
        "config",
        "models",
        "timeline",
    )

    def __init__(
        self, config: AttributionConfig, *, timeline: Timeline = NO_FITS, kept_plans: int = _CACHED_PLANS
    ) -> None:
        """Check the parameters and resolve the models.

        Args:
            config: the parameters.
            timeline: the fits of ``data_driven``.
            kept_plans: for so many shapes of paths, what does not depend on times and value is kept.

        Raises:
            InvalidParameterError: a parameter cannot be used, or a model is not known.
        """
        _check(config)
        found = tuple(dict.fromkeys(resolve(name) for name in config.models))
        self.config = config
        self.timeline = timeline
        self.models: tuple[str, ...] = tuple(m.model_id for m in found)
        self._found = found
        self._kept_plans = kept_plans
        self._plans: dict[tuple[int, int | None, int | None, int], _Plan] = {}
        self._reads_milestones = any(m.needs_milestone for m in found)
        self._reads_fits = any(m.needs_fit for m in found)
        self._scanned: Sequence[Conversion] = ()
        self._found_anchors: Sequence[Conversion] = ()
        self._no_fallbacks = ("",) * len(found)
        self._lookback_us = config.lookback_us
        self._exclude = config.folded_exclusions
        self._direct = frozenset(name.casefold() for name in config.direct_channels)

    def eligible(self, journey: JourneyView, conversion: Conversion) -> tuple[Touch, ...]:
        """The touches that may get credit for a conversion, in order."""
        at_us, touches = conversion.at_us, journey.touches
        low = at_us - self._lookback_us
        if self.config.reset_on_conversion:
            low = max(low, self._reset_us(journey, conversion) + 1)
        start = bisect_left(touches, (low, "", "", ""))
        found = touches[start : bisect_left(touches, (at_us + 1, "", "", ""), start)]
        if self._exclude:
            return tuple([t for t in found if t[2].casefold() not in self._exclude])
        return tuple(found)

    def attribute(self, journey: JourneyView, conversion: Conversion) -> ConversionCredits:
        """Credits of every model; empty if the conversion is not live, one pseudo touch if none is eligible."""
        rev, models = journey.rev, self.models
        if not conversion.is_live:
            return ConversionCredits(conversion, rev, models, (), (), (), self._no_fallbacks)
        truncated = journey.truncated and self._has_lost_touches(journey.touches, conversion)
        value = conversion.value_micros
        touches = self.eligible(journey, conversion)
        if not touches:
            pseudo: Touch = (conversion.at_us, "", UNATTRIBUTED, "")
            n = len(models)
            return ConversionCredits(
                conversion, rev, models, (pseudo,), ((1.0,),) * n, ((value,),) * n, self._no_fallbacks, truncated
            )
        path = self.path(journey, conversion, touches)
        weights, micros, fallbacks = self._credits(path, value)
        version = "" if path.fit is None else path.fit.version
        return ConversionCredits(conversion, rev, models, touches, weights, micros, fallbacks, truncated, version)

    def path(self, journey: JourneyView, conversion: Conversion, touches: tuple[Touch, ...]) -> Path:
        """The eligible touches, at least one, with the places that the models ask for."""
        lead_us, opportunity_us = (
            milestone_times(self._anchors(journey), conversion) if self._reads_milestones else (None, None)
        )
        return Path(
            touches,
            conversion,
            direct_channels=self._direct,
            lead_us=lead_us,
            opportunity_us=opportunity_us,
            fit=self._fit(conversion),
        )

    def _fit(self, conversion: Conversion) -> Fit | None:
        return self.timeline.at(conversion.at_us) if self._reads_fits else None

    def _has_lost_touches(self, touches: Sequence[Touch], conversion: Conversion) -> bool:
        """Whether the window begins before the oldest of the newest touches: those in between were dropped."""
        return len(touches) > 1 and conversion.at_us - self._lookback_us <= touches[1][0]

    def _credits(
        self, path: Path, value: int
    ) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[int, ...], ...], tuple[str, ...]]:
        n = len(path.touches)
        plan = self._plan(path, n)
        if value:
            parts = [split_micros(value, share.numerators, share.total) for share in plan.distinct]
        else:
            parts = [(0,) * n] * len(plan.distinct)
        if not plan.timed:
            return plan.weights, tuple([parts[i] for i in plan.slots]), plan.fallbacks
        weights, micros, fallbacks = list(plan.weights), [parts[i] for i in plan.slots], plan.fallbacks
        for index in plan.timed:
            model: Model = self._found[index]
            if model.needs_fit:
                numerators, stood_in = fitted_shares(path, self.config)
                fallbacks = (*fallbacks[:index], stood_in, *fallbacks[index + 1 :])
            else:
                numerators = model.numerators(path, self.config)
            share = shares(numerators)
            weights[index] = share.weights
            micros[index] = split_micros(value, share.numerators, share.total)
        return tuple(weights), tuple(micros), fallbacks

    def _plan(self, path: Path, n: int) -> _Plan:
        key = (n, path.lead, path.opportunity, path.last_non_direct)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._new_plan(path)
            if n <= _CACHED_TOUCHES:
                if len(self._plans) >= self._kept_plans:
                    self._plans.clear()
                self._plans[key] = plan
        return plan

    def _new_plan(self, path: Path) -> _Plan:
        """Everything about a path that its times and its value do not change."""
        nothing = shares((1, *(0,) * (len(path) - 1)))
        distinct: dict[tuple[int, ...], tuple[int, Shares]] = {}
        weights, slots, timed, fallbacks = [], [], [], []
        for index, model in enumerate(self._found):
            fallback = model.fallback if model.needs_milestone and not path.has_milestone else ""
            rule = resolve(fallback) if fallback else model
            fallbacks.append(fallback)
            share = nothing
            if model.needs_fit or (rule.reads_times and len(path) > 1):
                timed.append(index)
            else:
                share = shares(rule.numerators(path, self.config))
            slot, share = distinct.setdefault(tuple(share.numerators), (len(distinct), share))
            weights.append(share.weights)
            slots.append(slot)
        return _Plan(
            tuple(weights), tuple([s for _, s in distinct.values()]), tuple(slots), tuple(timed), tuple(fallbacks)
        )

    def _anchors(self, journey: JourneyView) -> Sequence[Conversion]:
        """Conversions that others may depend on; of a long list found once, not for every conversion of it."""
        conversions = journey.conversions()
        if len(conversions) < _FEW_CONVERSIONS:
            return conversions
        if conversions is not self._scanned:
            kinds = {LEAD, OPPORTUNITY, *self.config.reset_on_conversion}
            self._scanned = conversions
            self._found_anchors = [c for c in conversions if c.conversion_type in kinds]
        return self._found_anchors

    def _reset_us(self, journey: JourneyView, conversion: Conversion) -> int:
        """Time of the previous live conversion that ends a journey; a time before all others if there is none."""
        kinds, found = self.config.reset_on_conversion, -(1 << 62)
        for other in self._anchors(journey):
            if other.at_us > conversion.at_us:
                break
            if other.is_live and other.conversion_type in kinds and other.order < conversion.order:
                found = other.at_us
        return found


def attribute(journey: JourneyView, conversion: Conversion, config: AttributionConfig) -> ConversionCredits:
    """Credits of one conversion. For many, build one ``Attributor``."""
    return Attributor(config).attribute(journey, conversion)


def _check(config: AttributionConfig) -> None:
    if not config.models:
        raise InvalidParameterError("models", config.models, "name at least one model")
    if config.half_life_us <= 0:
        raise InvalidParameterError("half_life_us", config.half_life_us, "give a duration above 0")
    if config.lookback_us < 0:
        raise InvalidParameterError("lookback_us", config.lookback_us, "give a duration of 0 or more")
    check_custom_weights(config.custom_weights)
