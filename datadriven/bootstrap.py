"""Poisson bootstrap: how far credits would move with other customers, the same on every machine and at every replay.

In replicate b a customer's journeys count ``w(customer, b)`` times, a Poisson(1) number that is a hash and not a draw
(Hanley and MacGibbon 2006; Chamandy et al., *Estimating uncertainty for massive data streams*, Google 2012). So counts
of replicates add and subtract like counts, in any order. The hash is the b-th output of SplitMix64 (Steele et al. 2014)
from the first eight bytes of SHA-256 of the customer id; the weight is how many of ``poisson_thresholds()`` it reaches.
ClickHouse computes the same: the query is in ``docs/models.md``, and a test runs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from attribution.errors import InvalidParameterError
from datadriven.counts import TransitionCounts, transitions_of
from datadriven.parameters import ChannelUncertainty, Uncertainty
from datadriven.paths import Integers, PathCounts

Unsigned = npt.NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_DIGITS: Final = 9


def customer_keys(customer_ids: Iterable[str]) -> Unsigned:
    """The first eight bytes of SHA-256 of each id (UTF-8), little-endian."""
    keys = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") for name in customer_ids]
    return np.array(keys, dtype=np.uint64)


def uniform(keys: Unsigned, replicate: int) -> Unsigned:
    """Output number ``replicate`` (from 0) of SplitMix64 seeded with each key: uniform 64-bit integers."""
    mixed = keys + _GOLDEN * np.array([replicate + 1], dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


@lru_cache(maxsize=1)
def poisson_thresholds() -> tuple[int, ...]:
    """``floor(2**64 P(X <= k))`` for k = 0, 1, … while it is below 2**64: the Poisson(1) distribution in integers."""
    exact = Context(prec=60)
    term, total, found = exact.exp(Decimal(-1)), Decimal(0), []
    for k in range(1, 40):
        total = exact.add(total, term)
        term = exact.divide(term, Decimal(k))
        threshold = int(exact.multiply(total, Decimal(2**64)))
        if threshold >= 2**64 - 1:
            break
        found.append(threshold)
    return tuple(found)


def weights(keys: Unsigned, replicate: int) -> Integers:
    """Poisson(1) weight of each customer in a replicate."""
    thresholds = np.array(poisson_thresholds(), dtype=np.uint64)
    return np.searchsorted(thresholds, uniform(keys, replicate), side="right").astype(np.int64)


def replicate_counts(paths: PathCounts, keys: Unsigned, replicates: int, order: int = 1) -> Iterator[TransitionCounts]:
    """Transition counts of every replicate, for journeys held one a row.

    Where SQL has summed the weights of equal paths, use ``TransitionCounts.from_paths(paths.weighted(...))`` instead.

    Args:
        paths: the journeys.
        keys: the customer of each, from ``customer_keys`` or the same in SQL.
        replicates: how many.
        order: of the chain.

    Raises:
        InvalidParameterError: not one key for each journey.
    """
    if len(keys) != len(paths):
        raise InvalidParameterError("keys", len(keys), f"give one for each of the {len(paths)} journeys")
    states, nexts, rows = transitions_of(paths, order)
    base = len(paths.channels) + 2
    distinct, place = np.unique(states * base + nexts + 1, return_inverse=True)
    found, following = np.divmod(distinct, base)
    digits = np.stack([found // (base - 1) ** back % (base - 1) for back in reversed(range(order))], axis=1)
    for replicate in range(replicates):
        drawn = weights(keys, replicate)
        sums = (drawn * (paths.converted + paths.nulls))[rows]
        sums[len(paths.steps) :] = np.concatenate((drawn * paths.converted, drawn * paths.nulls))
        counts = np.bincount(place, sums, minlength=len(distinct)).astype(np.int64)
        yield TransitionCounts.from_columns(order, paths.channels, digits, following - 1, counts)


def uncertainty(
    point: Mapping[str, float], replicates: Sequence[Mapping[str, float]], *, level: float = 0.95
) -> Uncertainty:
    """Percentile intervals, rank stability and overlaps of channel shares.

    Args:
        point: share of each channel in the estimate.
        replicates: the same in each replicate; a channel that is missing there has 0.
        level: of the intervals, between 0 and 1.

    Raises:
        InvalidParameterError: fewer than two replicates, or a level outside.
    """
    if len(replicates) < 2:
        raise InvalidParameterError("replicates", len(replicates), "give two or more; 200 is usual")
    if not 0 < level < 1:
        raise InvalidParameterError("level", level, "give a level between 0 and 1, such as 0.95")
    names = sorted(point, key=lambda name: (-point[name], name))
    drawn = np.array([[shares.get(name, 0.0) for name in names] for shares in replicates])
    lows, highs = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    ranks = np.argsort(np.argsort(-drawn, axis=1, kind="stable"), axis=1)
    stable = (ranks == np.arange(len(names))).mean(axis=0)
    channels = tuple(
        [
            ChannelUncertainty(name, *(round(float(x), _DIGITS) for x in (point[name], lows[i], highs[i], stable[i])))
            for i, name in enumerate(names)
        ]
    )
    overlaps = [(a.channel, b.channel) for a, b in pairwise(channels) if b.high >= a.low]
    return Uncertainty(level, len(replicates), channels, tuple(overlaps))
