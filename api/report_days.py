"""A channel report put together from days: only days that were built since the former report are read again.

A report's credits are read by day of the conversion, with the run, the exchange rates and the build of the day that
they were read under; its spend is read as a whole. A report that is renewed takes over from the former one what is of
the same state, and reads the rest in one query. While live data come in, the days that change are one or two of the
period, so a report costs those, not the period.

Amounts are int micros; conversions are summed by ``fsum``, which does not depend on the order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from math import fsum
from typing import Any, Final, NamedTuple, TypeAlias

from api.store import Basis, ChannelRow, Page, State

#: Longer reports are not renewed, but read as a whole: a day with its channels is a few kilobytes.
_RENEWABLE_DAYS: Final = 400

Run: TypeAlias = Callable[..., list[dict[str, Any]]]
Rows: TypeAlias = list[dict[str, Any]]


class Asked(NamedTuple):
    """Which report: see ``Store.channel_performance``."""

    basis: Basis
    start: date
    end: date
    model: str
    currency: str
    conversion_type: str
    fx_max_age_days: int


class _Parts(NamedTuple):
    """What a report was put together from, and the state of all of it."""

    state: State
    credits: dict[date, Rows]
    spend: Rows


def read(run: Run, asked: Asked, state: State, former: Page | None = None) -> Page:
    """The report, at least as new as the state.

    Args:
        run: runs a named query, as ``queries.run`` with its client.
        asked: which report.
        state: read before.
        former: the same report under an earlier state, whose parts may be taken over.
    """
    held: _Parts | None = former.parts if former is not None else None
    if held is not None and (held.state.run_id, held.state.rates) != (state.run_id, state.rates):
        held = None
    # a conversion may be long after its touch, never before it
    last = date.max if asked.basis == "touch_day" else asked.end
    days = [day for day in state.days if asked.start <= day <= last]
    credits_ = (
        {day: held.credits[day] for day in days if held.state.days.get(day) == state.days[day] and day in held.credits}
        if held
        else {}
    )
    missing = [day for day in days if day not in credits_]
    if missing:
        credits_ |= _credits(run, asked, state.run_id, missing)
    spend = held.spend if held and held.state.spend == state.spend else _spend(run, asked)
    parts = _Parts(state, credits_, spend)
    return _page(
        [row for rows in credits_.values() for row in rows], spend, parts if len(days) <= _RENEWABLE_DAYS else None
    )


def _credits(run: Run, asked: Asked, run_id: int, days: Sequence[date]) -> dict[date, Rows]:
    is_by_touch = asked.basis == "touch_day"
    rows = run(
        "report_credits_touch" if is_by_touch else "report_credits",
        run_id=run_id,
        days=list(days),
        model=asked.model,
        currency=asked.currency,
        conversion_type=asked.conversion_type,
        fx_max_age_days=asked.fx_max_age_days,
        **({"start": asked.start, "end": asked.end} if is_by_touch else {}),
    )
    found: dict[date, Rows] = {day: [] for day in days}
    for row in rows:
        found[row["day"]].append(row)
    return found


def _spend(run: Run, asked: Asked) -> Rows:
    return run(
        "report_spend",
        start=asked.start,
        end=asked.end,
        currency=asked.currency,
        fx_max_age_days=asked.fx_max_age_days,
    )


def _page(credits_: Rows, spend: Rows, parts: _Parts | None) -> Page:
    weights: dict[str, list[float]] = defaultdict(list)
    revenue: dict[str, int] = defaultdict(int)
    touchpoints: dict[str, int] = defaultdict(int)
    shown = {"unattributed"}
    for row in credits_:
        if row["has_usable"]:
            channel = row["channel"]
            shown.add(channel)
            weights[channel].append(row["conversions"])
            revenue[channel] += row["revenue_micros"]
            touchpoints[channel] += row["touchpoints"]
    cost = {row["channel"]: row for row in spend}
    shown |= {channel for channel, row in cost.items() if row["has_usable"]}
    rows = [
        ChannelRow(
            channel,
            fsum(weights[channel]),
            revenue[channel],
            cost[channel]["spend_micros"] if channel in cost else 0,
            touchpoints[channel],
            cost[channel]["spend_through"] if channel in cost else None,
        )
        for channel in shown
    ]
    every = [*credits_, *spend]
    return Page(
        sorted(rows, key=lambda row: (-row.revenue_micros, -row.spend_micros, row.channel)),
        sorted({currency for row in every for currency in row["left_out"]}),
        sorted({currency for row in every for currency in row["converted"]}),
        parts,
    )
