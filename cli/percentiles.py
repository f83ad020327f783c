"""Nearest-rank percentiles: of n values in order, that of share q is the ceil(q * n)-th, a value that was seen."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def at(ordered: Sequence[float], share: float) -> float:
    """The least value that is not below ``share`` of all.

    Args:
        ordered: in rising order, at least one.
        share: from 0 to 1; 0 gives the least value.
    """
    return ordered[max(ceil(share * len(ordered)) - 1, 0)]
