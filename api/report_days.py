"""A channel report put together from what is kept of its days: only days that were built since are read again.

A report's credits are kept by day of the conversion, with the run, the exchange rates and the build of the day that
they were read under (``report_state``); its spend is kept as a whole with the state of spend. Every report asks the
state first: what is kept under the same state is as new as the engine, the rest is read in one query. While live data
come in, the days that change are one or two of the period, so a report costs those, not the period.

Nothing is kept longer than ``keep_s``, for changes that no state shows. Amounts are int micros; conversions are
summed by ``fsum``, which does not depend on the order.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from datetime import date
from math import fsum
from typing import Any, Final, NamedTuple, TypeAlias

from api.store import Basis, ChannelRow, Page

#: Days of questions that are kept; a day has a row per channel, a few kilobytes.
_KEPT_DAYS: Final = 20_000

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


class _Part(NamedTuple):
    state: Hashable
    read_at: float
    rows: Rows


class ReportDays:
    """Reads reports; calls may come from several threads at once.

    Args:
        run: runs a named query, as ``queries.run`` with its client.
        keep_s: seconds that a part is kept at most; 0 keeps none.
        monotonic: the clock of ``keep_s``.
    """

    def __init__(self, run: Run, *, keep_s: float = 30.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._run, self._keep_s, self._monotonic = run, keep_s, monotonic
        self._lock = threading.Lock()
        self._parts: dict[Hashable, _Part] = {}

    def read(self, asked: Asked) -> Page:
        """The report, as new as the engine when the call began."""
        state = self._run("report_state")[0]
        credits_ = self._credits(asked, state)
        spend = self._parts_of(
            {(asked.start, asked.end, asked.currency, asked.fx_max_age_days): (state["rates"], state["spend"])},
            lambda _: [
                self._run(
                    "report_spend",
                    start=asked.start,
                    end=asked.end,
                    currency=asked.currency,
                    fx_max_age_days=asked.fx_max_age_days,
                )
            ],
        )
        return _page([row for rows in credits_ for row in rows], spend[0])

    def _credits(self, asked: Asked, state: dict[str, Any]) -> list[Rows]:
        is_by_touch = asked.basis == "touch_day"
        last = date.max if is_by_touch else asked.end  # a conversion may be long after its touch, never before it
        span = {"start": asked.start, "end": asked.end} if is_by_touch else {}
        of_question = (asked.basis, asked.model, asked.currency, asked.conversion_type, asked.fx_max_age_days)

        def read(days: Sequence[date]) -> list[Rows]:
            rows = self._run(
                "report_credits_touch" if is_by_touch else "report_credits",
                run_id=state["run_id"],
                days=list(days),
                model=asked.model,
                currency=asked.currency,
                conversion_type=asked.conversion_type,
                fx_max_age_days=asked.fx_max_age_days,
                **span,
            )
            found: dict[date, Rows] = defaultdict(list)
            for row in rows:
                found[row["day"]].append(row)
            return [found[day] for day in days]

        wanted: dict[Hashable, Hashable] = {
            (*of_question, *span.values(), day): (state["run_id"], state["rates"], built)
            for day, built in zip(state["days"], state["builds"], strict=True)
            if asked.start <= day <= last
        }
        return self._parts_of(wanted, lambda keys: read([key[-1] for key in keys]))

    def _parts_of(self, wanted: dict[Hashable, Hashable], read: Callable[[list[Any]], list[Rows]]) -> list[Rows]:
        """The rows of every key, read where what is kept is of another state or too old."""
        now = self._monotonic()
        with self._lock:
            kept = {
                key: part.rows
                for key, state in wanted.items()
                if (part := self._parts.get(key)) and part.state == state and now - part.read_at < self._keep_s
            }
        missing = [key for key in wanted if key not in kept]
        if missing:
            fresh = dict(zip(missing, read(missing), strict=True))
            kept |= fresh
            with self._lock:
                for key, rows in fresh.items():
                    self._parts.pop(key, None)
                    self._parts[key] = _Part(wanted[key], now, rows)
                while len(self._parts) > _KEPT_DAYS:
                    del self._parts[next(iter(self._parts))]
        return [kept[key] for key in wanted]


def _page(credits_: Rows, spend: Rows) -> Page:
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
    )
