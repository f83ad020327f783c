"""Quantiles of whole numbers that are counted by bucket first: which single numbers are needed, and what they give.

Hyndman and Fan, Sample Quantiles in Statistical Packages (The American Statistician 1996), type 7: linear between the
two numbers whose ranks are nearest to q (n - 1), counted from 0.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def places(counts: Mapping[int, int], quantiles: Sequence[float]) -> dict[int, tuple[int, int]]:
    """The ranks that the quantiles need, and where they are: rank -> (bucket, rank in the bucket).

    Args:
        counts: how many numbers are in each bucket; buckets ascend with the numbers, no count is 0.
        quantiles: which ones, from 0 to 1.
    """
    buckets = sorted(counts)
    ends = list(accumulate(counts[bucket] for bucket in buckets))
    n = ends[-1] if ends else 0
    found = {}
    for rank in {r for q in quantiles if n for r in _ranks(q, n)}:
        i = bisect_right(ends, rank)
        found[rank] = (buckets[i], rank - (ends[i] - counts[buckets[i]]))
    return found


def between(n: int, numbers: Mapping[int, int], quantiles: Sequence[float]) -> tuple[float, ...]:
    """The quantiles of ``n`` numbers, of which ``numbers`` gives those of the ranks that ``places`` names."""
    found = []
    for q in quantiles:
        low, high = (numbers[rank] for rank in _ranks(q, n))
        found.append(low + (q * (n - 1) - _ranks(q, n)[0]) * (high - low))
    return tuple(found)


def _ranks(q: float, n: int) -> tuple[int, int]:
    low = int(q * (n - 1))
    return low, min(low + 1, n - 1)
