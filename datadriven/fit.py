"""Counts in, published parameters out: one function for each method, all with the same honesty.

Below ``Terms.minimum_conversions`` (with at least one touch: others teach nothing about channels) or without journeys
that ended in nothing, there is no model: the parameters say ``insufficient_data``, why, and which rule gives the
credits instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from attribution.models.registry import resolve
from datadriven import hazard, learned, markov, shapley
from datadriven.bootstrap import uniform
from datadriven.coalitions import SetCounts, channel_of
from datadriven.counts import TransitionCounts
from datadriven.learned import Journeys, Options
from datadriven.parameters import HazardCurve, Method, Parameters, Uncertainty, quantised, sealed
from datadriven.shapley import Smoothing

#: Quality figures are rounded, so that the last bits of a sum do not make a new version.
_DIGITS: Final = 9
_EFFECT_PATHS: Final = 5_000

FEW_CONVERSIONS: Final = "few_conversions"
NO_NULLS: Final = "no_nulls"
NO_PATTERN: Final = "not_better_than_base_rate"
NOT_CALIBRATED: Final = "not_calibrated"


@dataclass(frozen=True, slots=True)
class Terms:
    """What every fit is told: its training period [from, to), from when it is used, and when to refuse."""

    trained_from_us: int
    trained_to_us: int
    effective_from_us: int
    minimum_conversions: int = 300
    fallback: str = "linear"


def fit_markov(counts: TransitionCounts, terms: Terms, *, uncertainty: Uncertainty | None = None) -> Parameters:
    """Removal effects of a chain of the order of the counts.

    Raises:
        InvalidParameterError: counts that no set of journeys gives, or an unknown fallback model.
    """
    draft = _Draft("markov", terms, counts.conversions - counts.untouched_conversions, counts.nulls, order=counts.order)
    if draft.reason:
        return draft.refused(draft.reason)
    found = markov.fit(counts)
    effects = [quantised(effect) for effect in found.removal_effects]
    quality = {
        "conversion_probability": found.conversion_probability,
        "observed_rate": counts.conversions / (counts.conversions + counts.nulls),
    }
    return draft.fitted(found.channels, effects, quality=quality, uncertainty=uncertainty)


def fit_shapley(
    sets: SetCounts,
    terms: Terms,
    *,
    smoothing: Smoothing | None = None,
    permutations: int = 1_000,
    seed: int = 0,
    positions: int = 0,
    uncertainty: Uncertainty | None = None,
) -> Parameters:
    """Shapley values over the value of all. ``positions`` above 0: the sets are of ``ordered_paths`` with it.

    Raises:
        InvalidParameterError: negative counts, a parameter that cannot be used, or an unknown fallback model.
    """
    rule = smoothing or Smoothing()
    method: Method = "ordered_shapley" if positions else "shapley"
    draft = _Draft(method, terms, sets.total_conversions - sets.untouched_conversions, sets.total_nulls)
    settings = {"smoothing_conversions": rule.conversions, "smoothing_nulls": rule.nulls}
    settings |= {"positions": float(positions)} if positions else {}
    if draft.reason:
        return draft.refused(draft.reason, settings)
    found = shapley.fit(sets, rule, permutations=permutations, seed=seed)
    if found.permutations:
        settings |= {"permutations": float(permutations), "seed": float(seed)}
    scale = found.value_of_all
    quality = {
        "value_of_all": found.value_of_all,
        "value_of_none": found.value_of_none,
        "negative_values": float(sum(value < 0 for value in found.values)),
        "largest_standard_error": max(found.standard_errors, default=0.0) / scale,
    }
    effects = [quantised(value / scale) for value in found.values]
    return draft.fitted(found.channels, effects, settings, quality, uncertainty=uncertainty)


def fit_learned(journeys: Journeys, terms: Terms, options: Options | None = None) -> Parameters:
    """A calibrated hazard; refused when it is not better than the base rate on journeys it has not seen.

    ``effects`` are means over converted journeys, for the channel table; single touches get their own by the curve.

    Raises:
        InvalidParameterError: an unknown fallback model.
    """
    chosen = options or Options()
    settings = {name: float(value) for name, value in asdict(chosen).items()}
    converted = int(journeys.paths.converted[journeys.paths.lengths > 0].sum())
    draft = _Draft("learned", terms, converted, int((journeys.paths.converted == 0).sum()))
    if draft.reason:
        return draft.refused(draft.reason, settings)
    try:
        curve, quality = learned.learn(journeys, chosen)
    except learned.FoldTooSmallError:
        return draft.refused(FEW_CONVERSIONS, settings)
    figures = {name: float(value) for name, value in asdict(quality).items()}
    if not quality.is_better_than_base_rate:
        return draft.refused(NO_PATTERN, settings, figures)
    if quality.slope <= 0:
        return draft.refused(NOT_CALIBRATED, settings, figures)
    effects = _mean_effects(journeys, curve)
    return draft.fitted(journeys.paths.channels, effects, settings, figures, curve=curve)


def markov_shares(counts: TransitionCounts) -> dict[str, float]:
    """Share of each channel in the removal effects: what ``bootstrap.uncertainty`` takes, of a replicate as well.

    A replicate without a conversion has no shares.
    """
    if counts.conversions == 0:
        return {}
    found = markov.fit(counts)
    return _shares(found.channels, found.removal_effects)


def shapley_shares(sets: SetCounts, smoothing: Smoothing | None = None, *, ordered: bool = False) -> dict[str, float]:
    """Share of each channel in the positive Shapley values; of an ordered game, those of its players added up."""
    found = shapley.fit(sets, smoothing)
    shares = _shares(found.channels, found.values)
    if not ordered:
        return shares
    sums: dict[str, float] = {}
    for player, share in shares.items():
        sums[channel_of(player)] = sums.get(channel_of(player), 0.0) + share
    return sums


def _shares(channels: Sequence[str], effects: Sequence[float]) -> dict[str, float]:
    positive = [max(0.0, effect) for effect in effects]
    total = sum(positive)
    return {name: p / total if total else 0.0 for name, p in zip(channels, positive, strict=True)}


def _mean_effects(journeys: Journeys, curve: HazardCurve) -> list[int]:
    """Sum over each channel's touches of their effects, per converted journey; of many journeys, a hashed sample."""
    paths = journeys.paths
    won = np.flatnonzero((paths.converted == 1) & (paths.lengths > 0))
    won = won[np.argsort(uniform(journeys.keys[won], 0), kind="stable")[:_EFFECT_PATHS]]
    sums = [0] * len(paths.channels)
    for row in won:
        touches = slice(paths.offsets[row], paths.offsets[row + 1])
        steps = paths.steps[touches].tolist()
        effects = hazard.removal_effects(curve, steps, journeys.times_us[touches].tolist())
        for step, effect in zip(steps, effects, strict=True):
            sums[step] += effect
    return [total // len(won) for total in sums]


class _Draft:
    """Parameters in the making; ``reason`` is why there can be none (``""``: nothing is against it)."""

    def __init__(self, method: Method, terms: Terms, conversions: int, nulls: int, *, order: int = 0) -> None:
        self.method: Method = method
        self.terms, self.conversions, self.nulls, self.order = terms, conversions, nulls, order
        self.fallback = resolve(terms.fallback).model_id
        few = conversions < max(1, terms.minimum_conversions)
        self.reason = FEW_CONVERSIONS if few else NO_NULLS if nulls <= 0 else ""

    def refused(
        self, reason: str, settings: Mapping[str, float] | None = None, quality: Mapping[str, float] | None = None
    ) -> Parameters:
        """Without effects; the fallback gives the credits."""
        return self._sealed(reason, (), (), settings, quality)

    def fitted(
        self,
        channels: Sequence[str],
        effects: Sequence[int],
        settings: Mapping[str, float] | None = None,
        quality: Mapping[str, float] | None = None,
        *,
        curve: HazardCurve | None = None,
        uncertainty: Uncertainty | None = None,
    ) -> Parameters:
        """With effects."""
        return self._sealed("", channels, effects, settings, quality, curve, uncertainty)

    def _sealed(
        self,
        reason: str,
        channels: Sequence[str],
        effects: Sequence[int],
        settings: Mapping[str, float] | None,
        quality: Mapping[str, float] | None,
        curve: HazardCurve | None = None,
        uncertainty: Uncertainty | None = None,
    ) -> Parameters:
        return sealed(
            Parameters(
                method=self.method,
                status="insufficient_data" if reason else "ok",
                reason=reason,
                fallback=self.fallback,
                order=self.order,
                channels=tuple(channels),
                effects=tuple(effects),
                conversions=self.conversions,
                nulls=self.nulls,
                settings={"minimum_conversions": float(self.terms.minimum_conversions), **(settings or {})},
                quality={name: round(float(value), _DIGITS) for name, value in (quality or {}).items()},
                trained_from_us=self.terms.trained_from_us,
                trained_to_us=self.terms.trained_to_us,
                effective_from_us=self.terms.effective_from_us,
                curve=curve,
                uncertainty=uncertainty,
            )
        )
