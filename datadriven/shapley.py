"""Shapley values of channels in the game of conversion rates.

The value of a coalition S is the smoothed conversion rate of the journeys that used no channel outside it:

    v(S) = (conversions(S) + a) / (conversions(S) + nulls(S) + a + b)

with nulls counted. ``a`` and ``b`` are conversions and nulls that every coalition is given beforehand: with b alone
(the default) a coalition that was never seen is worth 0, and one seen a few times little. The values add up to
``v(all) - v(none)``. They may be negative: a channel whose journeys convert below the others lowers the rate. They
are reported as they are; only money takes the positive part (``datadriven.credits``). Value: Shapley 1953; as rate of
a coalition's journeys: Dalessandro et al. 2012 (doi 10.1145/2351356.2351363). A game of conversion *numbers* instead
of rates would divide every path equally over its channels (Zhao et al., arXiv 1804.05327).

Up to ``MAX_EXACT`` channels every coalition is valued: sums over subsets by the zeta transform, one pass for each
channel (Yates; Björklund et al. 2007). Above, permutations are drawn (Castro, Gómez and Tejada 2009), each with its
reverse (antithetic: Mitchell et al., arXiv 2104.12199), and each channel has its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np

from attribution.errors import InvalidParameterError
from datadriven.coalitions import SetCounts
from datadriven.paths import Floats, Integers

MAX_EXACT: Final = 15
_FLOAT_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Conversions ``a`` and nulls ``b`` that every coalition has before any journey; not both 0."""

    conversions: float = 0.0
    nulls: float = 100.0

    def rate(self, conversions: Integers | Floats, nulls: Integers | Floats) -> Floats:
        """Smoothed conversion rates."""
        a, b = self.conversions, self.nulls
        if not (a >= 0 and b >= 0 and 0 < a + b < _FLOAT_EXACT):
            raise InvalidParameterError("smoothing", (a, b), "give two numbers of 0 or more, not both 0")
        return np.asarray((conversions + a) / (conversions + nulls + a + b), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ShapleyFit:
    """Values in units of conversion rate; ``values[i]`` and ``standard_errors[i]`` belong to ``channels[i]``.

    ``permutations`` is 0 and the standard errors are 0 where all coalitions were valued. The values add up to
    ``value_of_all - value_of_none``, sampled ones as well.
    """

    channels: tuple[str, ...]
    values: tuple[float, ...]
    standard_errors: tuple[float, ...]
    value_of_all: float
    value_of_none: float
    permutations: int


def fit(sets: SetCounts, smoothing: Smoothing | None = None, *, permutations: int = 1_000, seed: int = 0) -> ShapleyFit:
    """Exact values of up to 15 channels, sampled ones of more.

    Args:
        sets: journeys by their set of channels, nulls included.
        smoothing: default no conversion and 100 nulls.
        permutations: how many are drawn above 15 channels; even, 4 or more.
        seed: decides them.

    Raises:
        InvalidParameterError: negative counts, or a parameter that cannot be used.
    """
    sets.require_journeys()
    rule = smoothing or Smoothing()
    if len(sets.channels) <= MAX_EXACT:
        game = coalition_values(sets, rule)
        values = shapley_values(game)
        return ShapleyFit(
            sets.channels, tuple(values.tolist()), (0.0,) * len(values), float(game[-1]), float(game[0]), 0
        )
    return _sampled(sets, rule, permutations, seed)


def coalition_values(sets: SetCounts, smoothing: Smoothing) -> Floats:
    """Values of all 2**n coalitions of n channels; the bits of the index are the members.

    Raises:
        InvalidParameterError: more than 15 channels.
    """
    n = len(sets.channels)
    if n > MAX_EXACT:
        raise InvalidParameterError("channels", n, f"value at most {MAX_EXACT} channels exactly; sample more")
    conversions, nulls = np.zeros(1 << n, dtype=np.int64), np.zeros(1 << n, dtype=np.int64)
    conversions[sets.masks[0]], nulls[sets.masks[0]] = sets.conversions, sets.nulls
    return smoothing.rate(_over_subsets(conversions, n), _over_subsets(nulls, n))


def shapley_values(game: Floats) -> Floats:
    """Shapley values of any game given by the values of its 2**n coalitions."""
    n = len(game).bit_length() - 1
    if len(game) != 1 << n:
        raise InvalidParameterError("game", len(game), "give one value for each coalition, 2**n")
    sizes = np.bitwise_count(np.arange(1 << n))
    weights = np.array([1 / (n * comb(n - 1, size)) for size in range(n)])
    values = np.empty(n)
    for player in range(n):
        without, joined = (game.reshape(-1, 2, 1 << player)[:, side].ravel() for side in (0, 1))
        size = sizes.reshape(-1, 2, 1 << player)[:, 0].ravel()
        values[player] = np.dot(weights[size], joined - without)
    return values


def _over_subsets(counts: Integers, n: int) -> Integers:
    """Zeta transform: each entry becomes the sum over the subsets of its index."""
    sums = counts.copy()
    for player in range(n):
        halves = sums.reshape(-1, 2, 1 << player)
        halves[:, 1] += halves[:, 0]
    return sums


def _sampled(sets: SetCounts, smoothing: Smoothing, permutations: int, seed: int) -> ShapleyFit:
    if permutations < 4 or permutations % 2:
        raise InvalidParameterError("permutations", permutations, "give an even number of 4 or more")
    n, random = len(sets.channels), np.random.default_rng(seed)
    order, members = _members_by_size(sets)
    won, lost = sets.conversions[order], sets.nulls[order]
    pairs = np.zeros((permutations // 2, n))
    game = np.zeros(n + 1)
    for drawn in pairs:
        forward = random.permutation(n)
        for joining in (forward, forward[::-1]):
            place = np.empty(n, dtype=np.int64)
            place[joining] = np.arange(1, n + 1)
            # A journey belongs to every prefix that reaches its latest channel.
            complete = np.zeros(len(order), dtype=np.int64)
            for column in members:
                np.maximum(complete[: len(column)], place[column], out=complete[: len(column)])
            game = smoothing.rate(*(np.cumsum(np.bincount(complete, w, minlength=n + 1)) for w in (won, lost)))
            drawn[joining] += np.diff(game) / 2
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    values = pairs.mean(axis=0)
    return ShapleyFit(
        sets.channels, tuple(values.tolist()), tuple(errors.tolist()), float(game[-1]), float(game[0]), permutations
    )


def _members_by_size(sets: SetCounts) -> tuple[Integers, list[Integers]]:
    """Sets from the largest to the smallest, and their first, second, … members, each as long as sets have one."""
    owner, channel = sets.members()
    sizes = np.bincount(owner, minlength=len(sets.nulls))
    order = np.argsort(-sizes, kind="stable")
    starts = (np.cumsum(sizes) - sizes)[order]
    reach = sizes[order]
    return order, [channel[starts[reach > j] + j] for j in range(int(sizes.max(initial=0)))]
