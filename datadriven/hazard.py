"""Evaluates the learned model: the chance that a journey converts, and how much of it each touch carries.

Each touch is a trial. At touch i every channel c has a stock ``sum of 2**-((t_i - t_j) / half_life)`` over its
touches j up to i, and the trial succeeds with the log-odds

    eta_i = intercept + sum_c coefficient[c] stock[c] + sum_(c, d) coefficient[c, d] stock[c] stock[d]

A journey converts if a trial does (a discrete-time hazard: Singer and Willett 1993). Ages are counted between touches,
never from the journey's end: that of a null journey is known only when its window has passed, and a model would learn
nothing but that.

The effect of a touch is counterfactual: ``1 - P(journey without it) / P(journey)``; without any touch nothing converts.
It may be negative. Plain Python over doubles, rounded to parts of 2**32.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, expm1, log1p

from datadriven.parameters import EFFECT_SCALE, HazardCurve, quantised


def conversion_probability(curve: HazardCurve, channels: Sequence[int], times_us: Sequence[int]) -> float:
    """Chance of a conversion, from 0 to 1.

    Args:
        curve: the fitted model.
        channels: position of each touch's channel in the vocabulary, -1 if it has none.
        times_us: when, not falling.
    """
    return -expm1(_survival(curve, list(channels), list(times_us)))


def removal_effects(curve: HazardCurve, channels: Sequence[int], times_us: Sequence[int]) -> tuple[int, ...]:
    """Effect of each touch in parts of ``EFFECT_SCALE``; 0 for those older than the newest ``max_touches``."""
    skipped = max(0, len(channels) - curve.max_touches)
    known, times = list(channels[skipped:]), list(times_us[skipped:])
    whole = conversion_probability(curve, known, times)
    if whole <= 0.0:
        return (0,) * len(channels)
    without = (
        conversion_probability(curve, known[:i] + known[i + 1 :], times[:i] + times[i + 1 :]) for i in range(len(known))
    )
    return (0,) * skipped + tuple([quantised(1.0 - p / whole) for p in without])


def _survival(curve: HazardCurve, channels: list[int], times_us: list[int]) -> float:
    """Sum of ``log(1 - hazard)`` over the trials; 0 without a touch."""
    coefficients, total, before = curve.coefficients, 0.0, 0
    stock: dict[int, float] = {}
    for channel, at_us in zip(channels[-curve.max_touches :], times_us[-curve.max_touches :], strict=True):
        faded = 2.0 ** ((before - at_us) / curve.half_life_us) if stock else 1.0
        before = at_us
        stock = {name: amount * faded for name, amount in stock.items()}
        stock[channel] = stock.get(channel, 0.0) + 1.0
        eta = float(curve.intercept)
        eta += sum(coefficients[name] * amount for name, amount in stock.items() if name >= 0)
        eta += sum(weight * stock[a] * stock[b] for a, b, weight in curve.pairs if a in stock and b in stock)
        total -= _softplus(eta / EFFECT_SCALE)
    return total


def _softplus(x: float) -> float:
    return x + log1p(exp(-x)) if x > 0 else log1p(exp(x))
