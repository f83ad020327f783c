"""Paths as the flows of a Sankey diagram: a column per step, few enough places in each to be read.

Pure. A path of one step flows from its channel into the conversion; of a longer one than is shown, the rest is one
place. The places of a step that carry least are put together, so that no column has more than ``MOST`` of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

STEPS: Final = 5
MOST: Final = 12
OTHER: Final = "Other"
LATER: Final = "Later steps"
CONVERSION: Final = "Conversion"


class Place(NamedTuple):
    """A channel at a step, counted from 1; the conversion is at the step after the last."""

    step: int
    name: str


class Flow(NamedTuple):
    """Conversions that go from one place to another."""

    source: Place
    target: Place
    conversions: int


def flows(paths: Iterable[tuple[Sequence[str], int]]) -> list[Flow]:
    """Flows of paths with their conversions, the largest first; what enters a place in the middle leaves it."""
    whole = [(list(steps), count) for steps, count in paths if steps]
    cut = [(steps if len(steps) <= STEPS else [*steps[: STEPS - 1], LATER], count) for steps, count in whole]
    kept = _kept(cut)
    found: Counter[tuple[Place, Place]] = Counter()
    end = Place(STEPS + 1, CONVERSION)
    for steps, count in cut:
        places = [Place(i, name if name in kept[i] else OTHER) for i, name in enumerate(steps, 1)]
        for source, target in zip(places, [*places[1:], end], strict=True):
            found[source, target] += count
    return [Flow(a, b, n) for (a, b), n in sorted(found.items(), key=lambda item: (-item[1], item[0]))]


def _kept(paths: Sequence[tuple[Sequence[str], int]]) -> dict[int, set[str]]:
    """Names that stay by themselves, by step: all, or those that carry most, with one place left for the others."""
    kept = {}
    for step in range(1, STEPS + 1):
        carried: Counter[str] = Counter()
        for steps, count in paths:
            if len(steps) >= step:
                carried[steps[step - 1]] += count
        ranked = sorted(carried, key=lambda name: (name != LATER, -carried[name], name))
        kept[step] = set(ranked if len(ranked) <= MOST else ranked[: MOST - 1])
    return kept
