"""How far a model's shares are from the truth, where the truth is known: simulations, or a lift test of every channel.

Shares are of channels and sum to 1; the truth is each channel's incremental conversions. Three figures, each 0 at best:

* **share error**: half the sum of absolute differences (total variation), the part of the credit at the wrong channel;
* **rank error**: (1 - Spearman's rank correlation) / 2, 1 for the reverse order;
* **budget regret**: the part of the incremental conversions that is lost when a budget follows the model. The response
  to money is taken as ``c_i sqrt(b_i)`` (diminishing, the same shape for all), for which the best budget is in
  proportion to ``c_i ** 2``; the model's shares stand in for ``c_i``. Only channels that can be bought take part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import fsum, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from scipy.stats import rankdata, t

from attribution.errors import InvalidParameterError


class Score(NamedTuple):
    """Figures of one model in one world."""

    share_error: float
    rank_error: float
    budget_regret: float


class Interval(NamedTuple):
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float


def score(shares: Mapping[str, float], truth: Mapping[str, float], bought: Collection[str]) -> Score:
    """Figures of a model.

    Args:
        shares: credit by channel on any scale; a channel that is missing has none.
        truth: incremental conversions of every channel, none negative.
        bought: channels that money is spent on.

    Raises:
        InvalidParameterError: nothing was credited, or nothing was caused.
    """
    names = sorted(truth.keys() | shares.keys())
    given, true = _normalised("shares", shares, names), _normalised("truth", truth, names)
    error = fsum(abs(g - w) for g, w in zip(given, true, strict=True)) / 2
    return Score(error, (1 - _spearman(given, true)) / 2, _regret(names, given, true, bought))


def interval(values: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean over independent worlds with Student's t interval.

    Raises:
        InvalidParameterError: fewer than two values.
    """
    if len(values) < 2:
        raise InvalidParameterError("values", len(values), "give two or more worlds")
    mean = fmean(values)
    half = float(t.ppf((1 + level) / 2, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def _normalised(field: str, given: Mapping[str, float], names: Sequence[str]) -> list[float]:
    values = [max(0.0, given.get(name, 0.0)) for name in names]
    total = fsum(values)
    if not total > 0:
        raise InvalidParameterError(field, total, "give at least one channel a share above 0")
    return [value / total for value in values]


def _spearman(given: Sequence[float], true: Sequence[float]) -> float:
    """Rank correlation with mean ranks for ties; 0 when one side has no order at all."""
    a, b = rankdata(given), rankdata(true)
    a, b = a - a.mean(), b - b.mean()
    size = sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size else 0.0


def _regret(names: Sequence[str], given: Sequence[float], true: Sequence[float], bought: Collection[str]) -> float:
    paid = [i for i, name in enumerate(names) if name in bought]
    best = sqrt(fsum(true[i] ** 2 for i in paid))
    if not best:
        return 0.0
    size = sqrt(fsum(given[i] ** 2 for i in paid))
    if not size:
        return 1.0
    return 1 - fsum(true[i] * given[i] for i in paid) / (size * best)
