"""Where the next unit of money would bring most: response curves, marginal return, and a budget that follows them.

**Curve.** Per channel, value of a period = ``scale * spend ** elasticity``, elasticity from 0.05 to 0.95: more money
brings more, and always less for each further unit. It is fitted by least squares to periods with spend. A channel with
fewer than ``MIN_PERIODS`` of them, or whose spend hardly moved, cannot show its elasticity: 0.5 is *assumed* there, and
said. **Marginal return** is the curve's slope at the present spend. **Reallocation** keeps the total and moves each
channel within bounds, so that all channels that are not at a bound have the same marginal return (the condition of an
optimum of concave functions; Karush 1939, Kuhn and Tucker 1951). The multiplier is found by Brent's method (scipy).

What is assumed: that credit follows spend, not the other way round (budgets raised in good weeks make a channel look
elastic); that channels do not help each other; that periods stand alone, with no carry-over; that what was observed
between the smallest and the largest spend goes on a little outside. A lift test is the check. Money is int micros.

Sources: Hanssens, Parsons and Schultz, *Market Response Models*, 2001, ch. 3 (constant elasticity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum, isfinite
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from attribution.errors import InvalidParameterError
from attribution.money import split_micros

MIN_PERIODS: Final = 8
#: Standard deviation of the spend over its mean below which an elasticity cannot be seen.
MIN_VARIATION: Final = 0.10
ASSUMED: Final = 0.5
BOUNDS: Final = (0.05, 0.95)


class Curve(NamedTuple):
    """``scale * spend ** elasticity``, both in micros of one period; ``is_assumed``: the elasticity was not fitted.

    ``r2``: share of the variance of the periods' values that the curve explains, None when it is assumed.
    """

    channel: str
    scale: float
    elasticity: float
    is_assumed: bool
    periods: int
    r2: float | None

    def value(self, spend: float) -> float:
        """Value of a period with this spend."""
        return float(self.scale * spend**self.elasticity) if spend > 0 else 0.0

    def marginal(self, spend: float) -> float:
        """Value of one further unit of spend at this spend; infinite at nothing."""
        if spend <= 0:
            return float("inf") if self.scale > 0 else 0.0
        return float(self.scale * self.elasticity * spend ** (self.elasticity - 1))


class Move(NamedTuple):
    """One channel of a plan: spend of a period now and then, in micros, with the curve's value and slope at both."""

    channel: str
    spend_micros: int
    planned_micros: int
    value_micros: int
    planned_value_micros: int
    marginal: float
    planned_marginal: float


def curve(channel: str, spend_micros: Sequence[int], value_micros: Sequence[int]) -> Curve:
    """The response of a channel, from its periods.

    Args:
        channel: its name.
        spend_micros: spend of each period.
        value_micros: what the model credited to it in the same period.

    Raises:
        InvalidParameterError: not one value for each spend, a negative spend, or no period with spend.
    """
    if len(spend_micros) != len(value_micros):
        raise InvalidParameterError("value_micros", len(value_micros), f"give {len(spend_micros)}, one for each spend")
    if min(spend_micros, default=0) < 0:
        raise InvalidParameterError("spend_micros", min(spend_micros), "give amounts of 0 or more")
    used = [(s, v) for s, v in zip(spend_micros, value_micros, strict=True) if s > 0]
    if not used:
        raise InvalidParameterError("spend_micros", 0, f"{channel} has no period with spend; leave it out")
    spend, value = (np.array(column, float) for column in zip(*used, strict=True))
    if len(used) < MIN_PERIODS or spend.std() < MIN_VARIATION * spend.mean():
        return Curve(channel, _scale(spend, value, ASSUMED), ASSUMED, is_assumed=True, periods=len(used), r2=None)

    def error(elasticity: float) -> float:
        return float(np.square(value - _scale(spend, value, elasticity) * spend**elasticity).sum())

    best = float(minimize_scalar(error, bounds=BOUNDS, method="bounded", options={"xatol": 1e-6}).x)
    spread = float(np.square(value - value.mean()).sum())
    r2 = 1 - error(best) / spread if spread else 0.0
    return Curve(channel, _scale(spend, value, best), best, is_assumed=False, periods=len(used), r2=r2)


def reallocate(
    curves: Sequence[Curve],
    spend_micros: Mapping[str, int],
    *,
    total_micros: int | None = None,
    most_change: float = 0.3,
) -> tuple[Move, ...]:
    """The budget of a period over the channels, by falling change.

    Args:
        curves: one for each channel.
        spend_micros: its spend of a period now.
        total_micros: the budget; default: what is spent now.
        most_change: each channel stays within this share of its spend, scaled when the total changes.

    Raises:
        InvalidParameterError: a curve without spend, a share outside, or a total below 1.
    """
    if not 0 <= most_change <= 1:
        raise InvalidParameterError("most_change", most_change, "give a share from 0 to 1, such as 0.3")
    now = [spend_micros.get(c.channel, 0) for c in curves]
    if not curves or min(now) <= 0:
        raise InvalidParameterError(
            "spend_micros", min(now, default=0), "give each channel what it spends now, above 0"
        )
    total = sum(now) if total_micros is None else total_micros
    if total < 1:
        raise InvalidParameterError("total_micros", total, "give a budget above 0")
    base = [spent * total / sum(now) for spent in now]
    planned = _planned(curves, base, total, most_change)
    exact = split_micros(total, [round(p) for p in planned], sum(round(p) for p in planned))
    moves = [
        Move(
            c.channel,
            spent,
            then,
            round(c.value(spent)),
            round(c.value(then)),
            c.marginal(spent),
            c.marginal(then),
        )
        for c, spent, then in zip(curves, now, exact, strict=True)
    ]
    return tuple(sorted(moves, key=lambda m: (-abs(m.planned_micros - m.spend_micros), m.channel)))


def _planned(curves: Sequence[Curve], base: Sequence[float], total: int, most_change: float) -> list[float]:
    """Spends that sum to the total with one marginal return for all that are between their bounds."""
    bounds = [(b * (1 - most_change), b * (1 + most_change)) for b in base]
    if not any(c.scale > 0 for c in curves) or most_change == 0:
        return list(base)

    def spends(log_return: float) -> list[float]:
        found = []
        for c, (low, high) in zip(curves, bounds, strict=True):
            if c.scale <= 0:
                found.append(low)
                continue
            exponent = (np.log(c.scale * c.elasticity) - log_return) / (1 - c.elasticity)
            found.append(min(max(float(np.exp(min(exponent, 700.0))), low), high))
        return found

    def excess(log_return: float) -> float:
        return fsum(spends(log_return)) - total

    marginals = [c.marginal(s) for c, pair in zip(curves, bounds, strict=True) for s in pair if c.scale > 0]
    logs = [float(np.log(m)) for m in marginals if isfinite(m) and m > 0]
    low, high = min(logs) - 1.0, max(logs) + 1.0
    # all at a bound, but for what rounding or worthless channels leave
    if excess(low) <= 0 or excess(high) >= 0:
        return _spread(spends(low if excess(low) <= 0 else high), base, total)
    return spends(float(brentq(excess, low, high, xtol=1e-12)))


def _spread(found: Sequence[float], base: Sequence[float], total: int) -> list[float]:
    rest = total - fsum(found)
    return [f + rest * b / fsum(base) for f, b in zip(found, base, strict=True)]


def _scale(spend: np.ndarray, value: np.ndarray, elasticity: float) -> float:
    """The scale of least squares for an elasticity; never negative."""
    shape = spend**elasticity
    return max(0.0, float(shape @ value) / float(shape @ shape))
