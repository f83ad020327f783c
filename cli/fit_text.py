"""A fit for people: what it stands on, and each channel's share with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attribution.times import from_us
from datadriven.credits import channel_effects

if TYPE_CHECKING:
    from datadriven.parameters import Parameters

_WHY: Final = {
    "few_conversions": "fewer conversions than --minimum",
    "not_better_than_base_rate": "on journeys that it had not seen it was no better than the base rate",
    "not_calibrated": "its calibration found no positive slope",
    "no_nulls": "no journey that ended without a conversion; is --closed-after-days shorter than the data?",
}


def shown(parameters: Parameters, *, is_published: bool) -> str:
    """Several lines."""
    p = parameters
    name = f"{p.method} of order {p.order}" if p.order else p.method
    state = "published" if is_published else "not published"
    period = f"{_day(p.trained_from_us)} to {_day(p.trained_to_us)}"
    lines = [
        f"{name}, version {p.version}, {state}, counts from {_day(p.effective_from_us)}",
        f"{p.conversions:,} journeys with a conversion, {p.nulls:,} without, {period}",
    ]
    if p.status != "ok":
        why = _WHY.get(p.reason, p.reason)
        return "\n".join([*lines, f"insufficient data ({why}): {p.fallback} stands in and is named in every row"])
    if p.uncertainty is None:
        earned = {name: of.positive for name, of in channel_effects(p).items()}
        total = sum(earned.values())
        by_share = sorted(earned.items(), key=lambda pair: (-pair[1], pair[0]))
        return "\n".join([*lines, *_quality(p), *(f"  {name:<24} {of / total:7.2%}" for name, of in by_share)])
    lines += [
        f"  {c.channel:<24} {c.share:7.2%}   {p.uncertainty.level:.0%}: {c.low:.2%} to {c.high:.2%}   "
        f"rank kept in {c.rank_stability:.0%}"
        for c in p.uncertainty.channels
    ]
    lines += [f"  {a} and {b} overlap: their order is not known" for a, b in p.uncertainty.overlaps]
    return "\n".join(lines)


def _quality(p: Parameters) -> list[str]:
    """What a learned model is worth on journeys it has not seen; nothing for the others, which are exact."""
    if p.method != "learned":
        return []
    q = p.quality
    seen = (
        f"  on {q['journeys']:,.0f} journeys not seen: log-loss {q['log_loss']:.4f} a touch, base rate "
        f"{q['base_log_loss']:.4f}; calibration slope {q['calibration_slope']:.2f}; no intervals"
    )
    return [seen]


def _day(us: int) -> str:
    return f"{from_us(us):%Y-%m-%d %H:%M:%SZ}"
