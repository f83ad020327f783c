"""Sums of the store as reports. Ratios are those of sums, totals those of summed sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import combinations

from api import store
from api.analytics_store import CreditSum, SumKey, Sums
from api.clickhouse_analytics import total
from api.report import performance
from api.responses import amount
from api.sums_responses import (
    CampaignPerformance,
    ChannelComparison,
    ChannelReturn,
    ModelDistance,
    ModelShare,
    Return,
    TimePoint,
)
from attribution.types import UNATTRIBUTED

_NOTHING = CreditSum(0.0, 0, 0)


def campaigns(sums: Sums, model: str) -> list[CampaignPerformance]:
    """Most revenue first, then most spend, then by name; the unattributed row always."""
    mine = sums.credits.get(model, {})
    unattributed = [] if any(k.channel == UNATTRIBUTED for k in mine) else [("", UNATTRIBUTED)]
    keys = {(k.campaign, k.channel): k for k in (*mine, *sums.spend)}
    rows = []
    for campaign, channel in (*keys, *unattributed):
        key = keys.get((campaign, channel))
        found = mine.get(key, _NOTHING) if key else _NOTHING
        spent = sums.spend.get(key, 0) if key else 0
        ratios = performance(found.conversions, found.revenue_micros, spent, found.touchpoints)
        rows.append(CampaignPerformance(channel=channel, campaign=campaign or None, **ratios.model_dump()))
    return sorted(rows, key=position)


def position(row: CampaignPerformance) -> tuple[int, int, str, str]:
    """Where a campaign stands in its report."""
    return (-row.revenue_micros, -row.spend_micros, row.channel, row.campaign or "")


def timeseries(sums: Sums, model: str, *, by_channel: bool) -> list[TimePoint]:
    """By date, then by channel (``total`` when not by channel)."""
    credits_: dict[tuple[date, str], list[CreditSum]] = defaultdict(list)
    spend: dict[tuple[date, str], int] = defaultdict(int)
    for key, found in sums.credits.get(model, {}).items():
        credits_[_point(key, by_channel=by_channel)].append(found)
    for key, cost in sums.spend.items():
        spend[_point(key, by_channel=by_channel)] += cost
    points = []
    for day, channel in sorted({*credits_, *spend}):
        of = total(credits_.get((day, channel), []))
        ratios = performance(of.conversions, of.revenue_micros, spend.get((day, channel), 0), of.touchpoints)
        points.append(TimePoint(date=day, channel=channel, **ratios.model_dump()))
    return points


def _point(key: SumKey, *, by_channel: bool) -> tuple[date, str]:
    return key.day, key.channel if by_channel else "total"


def returns(by_conversion: Sequence[store.ChannelRow], by_touch: Sequence[store.ChannelRow]) -> list[ChannelReturn]:
    """Both bases side by side, in the order of the conversion day; what only the other one has comes last."""
    first, second = ({row.channel: row for row in rows} for rows in (by_conversion, by_touch))
    names = [*first, *(name for name in second if name not in first)]
    return [returned(name, *([of[name]] if name in of else [] for of in (first, second))) for name in names]


def returned(
    channel: str, by_conversion: Sequence[store.ChannelRow], by_touch: Sequence[store.ChannelRow]
) -> ChannelReturn:
    """Some rows together under one name; spend is the same in both bases."""
    spend = sum(row.spend_micros for row in by_conversion or by_touch)
    return ChannelReturn(
        channel=channel,
        spend=amount(spend),
        spend_micros=spend,
        conversion_day=_return(by_conversion, spend),
        touch_day=_return(by_touch, spend),
    )


def _return(rows: Sequence[store.ChannelRow], spend: int) -> Return:
    of = total([CreditSum(r.conversions, r.revenue_micros, r.touchpoints) for r in rows])
    ratios = performance(of.conversions, of.revenue_micros, spend, 0)
    return Return(**ratios.model_dump(include=set(Return.model_fields)))


def compared(sums: Sums, models: Sequence[str]) -> list[ChannelComparison]:
    """Every channel with its credits under every model, the widest spread first; the unattributed row always."""
    by_channel: dict[str, dict[str, list[CreditSum]]] = {UNATTRIBUTED: {}}
    for model in models:
        for key, found in sums.credits.get(model, {}).items():
            by_channel.setdefault(key.channel, {}).setdefault(model, []).append(found)
    revenue = {m: sum(c.revenue_micros for c in sums.credits.get(m, {}).values()) for m in models}
    rows = []
    for channel, of_models in by_channel.items():
        shares = [_share(m, total(of_models.get(m, [])), revenue[m]) for m in models]
        micros = [s.revenue_micros for s in shares]
        known = [s.share for s in shares if s.share is not None]
        rows.append(
            ChannelComparison(
                channel=channel,
                models=shares,
                spread=amount(max(micros) - min(micros)),
                spread_micros=max(micros) - min(micros),
                spread_share=max(known) - min(known) if len(known) == len(models) else None,
            )
        )
    return sorted(rows, key=lambda row: (-row.spread_micros, row.channel))


def _share(model: str, found: CreditSum, revenue: int) -> ModelShare:
    return ModelShare(
        model=model,
        conversions=found.conversions,
        revenue=amount(found.revenue_micros),
        revenue_micros=found.revenue_micros,
        share=found.revenue_micros / revenue if revenue else None,
    )


def distances(channels: Iterable[ChannelComparison], models: Sequence[str]) -> list[ModelDistance]:
    """Total variation distance of every pair of models."""
    by_model: dict[str, list[float | None]] = {m: [] for m in models}
    for channel in channels:
        for share in channel.models:
            by_model[share.model].append(share.share)
    return [ModelDistance(a=a, b=b, distance=_distance(by_model[a], by_model[b])) for a, b in combinations(models, 2)]


def _distance(a: Sequence[float | None], b: Sequence[float | None]) -> float | None:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return sum(abs(x - y) for x, y in pairs) / 2 if len(pairs) == len(a) else None


def disagreement(found: Sequence[ModelDistance]) -> float | None:
    """Mean distance."""
    known = [d.distance for d in found if d.distance is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None
