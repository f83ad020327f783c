"""Paths of the store as reports: shares, means, names of buckets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from api.paths_responses import (
    ChannelAssists,
    LagBucket,
    LagQuantiles,
    PathLengthRow,
    PathRow,
    PathStep,
    SharedWorth,
    TouchedWorth,
    Worth,
)
from api.paths_store import LAG_BOUNDS_S, Assists, Part, PathLengths, Step, TimeLags, TopPaths
from api.responses import amount
from attribution.types import UNATTRIBUTED

_NOTHING: Final = Part(0, 0)
_LAG_NAMES: Final = ("no touch", "<1 h", "1-24 h", *(f"{day} d" for day in range(1, 30)), "30+ d")


def added(parts: Iterable[Part]) -> Part:
    """Several parts as one."""
    every = list(parts)
    return Part(sum(p.conversions for p in every), sum(p.value_micros for p in every), sum(p.touches for p in every))


def worth(part: Part) -> Worth:
    """A part as it is shown."""
    return Worth(conversions=part.conversions, value=amount(part.value_micros), value_micros=part.value_micros)


def touched(part: Part) -> TouchedWorth:
    """The same with its mean number of touches."""
    mean = part.touches / part.conversions if part.conversions else None
    return TouchedWorth(**worth(part).model_dump(), mean_touches=mean)


def paths(found: TopPaths) -> list[PathRow]:
    """The page, with shares of all that it is a page of."""
    return [
        PathRow(
            path=" > ".join(map(_named, p.steps)) or UNATTRIBUTED,
            steps=[PathStep(channel=s.channel, campaign=s.campaign or None) for s in p.steps],
            **touched(p.sum).model_dump(),
            share=p.sum.conversions / found.total.conversions,
        )
        for p in found.paths
    ]


def _named(step: Step) -> str:
    return f"{step.channel} / {step.campaign}" if step.campaign else step.channel


def lengths(found: PathLengths, longest: int) -> list[PathLengthRow]:
    """Every number from 0 to ``longest``, also those without a conversion."""
    shared = _shared([found.by_length.get(n, _NOTHING) for n in range(longest + 1)])
    return [PathLengthRow(touches=n, or_more=n == longest, **row.model_dump()) for n, row in enumerate(shared)]


def lags(found: TimeLags) -> list[LagBucket]:
    """Every bucket, also those without a conversion."""
    buckets = range(len(_LAG_NAMES))
    first, last = (
        _shared([added(p for pair, p in found.pairs.items() if pair[side] == n) for n in buckets]) for side in (0, 1)
    )
    bounds: tuple[int | None, ...] = (None, *LAG_BOUNDS_S, None)
    return [
        LagBucket(
            bucket=_LAG_NAMES[n],
            from_seconds=bounds[n],
            to_seconds=bounds[n + 1] if n else None,
            since_first_touch=first[n],
            since_last_touch=last[n],
        )
        for n in buckets
    ]


def quantiles(found: Sequence[float] | None) -> LagQuantiles:
    """In the order of ``paths_store.QUANTILES``; to the microsecond."""
    names = LagQuantiles.model_fields
    values = [None] * len(names) if found is None else [round(seconds, 6) for seconds in found]
    return LagQuantiles(**dict(zip(names, values, strict=True)))


def assists(found: Assists) -> list[ChannelAssists]:
    """Most assisted conversions first, then most last touches, then by name."""
    rows = []
    for channel in {*found.first, *found.last, *found.assist}:
        last, assist, first = (of.get(channel, _NOTHING) for of in (found.last, found.assist, found.first))
        rows.append(
            ChannelAssists(
                channel=channel,
                last_touch_conversions=last.conversions,
                last_touch_value=amount(last.value_micros),
                last_touch_value_micros=last.value_micros,
                assisted_conversions=assist.conversions,
                assisted_value=amount(assist.value_micros),
                assisted_value_micros=assist.value_micros,
                first_touch_conversions=first.conversions,
                first_touch_value=amount(first.value_micros),
                first_touch_value_micros=first.value_micros,
                assisted_ratio=assist.conversions / last.conversions if last.conversions else None,
            )
        )
    return sorted(rows, key=lambda r: (-r.assisted_conversions, -r.last_touch_conversions, r.channel))


def _shared(parts: Sequence[Part]) -> list[SharedWorth]:
    total = sum(p.conversions for p in parts)
    so_far = accumulate(p.conversions for p in parts)
    return [
        SharedWorth(
            **worth(part).model_dump(),
            share=part.conversions / total if total else None,
            cumulative_share=up_to / total if total else None,
        )
        for part, up_to in zip(parts, so_far, strict=True)
    ]
