"""In-memory doubles of the API's ports, under the same contract suite as the real ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import fsum
from typing import TYPE_CHECKING, Final, TypeAlias

from api.store import (
    FX_MAX_AGE_DAYS,
    Basis,
    ChannelRow,
    DeadLetters,
    EarnedCredit,
    EventKey,
    JourneyRow,
    Meta,
    Page,
    Progress,
    ResultKey,
    ResultRow,
    Standing,
    State,
    TouchCredit,
    Unavailable,
)
from api.testing_analytics import MemoryAnalytics
from api.testing_funnel import MemoryFunnels
from api.testing_lift import MemoryLifts
from api.testing_live import Feed, MemoryLive
from api.testing_paths import MemoryPaths
from api.testing_runs import MemoryRuns, RunList
from attribution.config import AttributionConfig
from attribution.types import UNATTRIBUTED
from clickhouse.lifts import RecordedTest
from datadriven.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from decimal import Decimal

    from api.offsets import Bounds
    from api.producer import OutRecord
    from attribution.identity import Link
    from attribution.types import ConversionCredits
    from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


#: Day of the sum, day of the rate, channel, campaign, original currency: amounts are rounded once in each.
_Group: TypeAlias = tuple[date, date, str, str, str]


@dataclass(slots=True)
class _Sums:
    """Credits, converted revenue, spend."""

    credits: list[TouchCredit] = field(default_factory=list)
    revenue: int = 0
    spend: int = 0


def at(us: int) -> datetime:
    """Microseconds since the epoch as an aware time."""
    return _EPOCH + timedelta(microseconds=us)


@dataclass(slots=True)
class MemoryStore(MemoryAnalytics, MemoryRuns, MemoryLive, MemoryPaths, MemoryFunnels, MemoryLifts):
    """Facts in lists; the answers are computed from them at each call.

    ``failure`` is raised by every read while it is set: a dependency that is down.
    """

    facts: Meta = field(default_factory=lambda: Meta(1, None, None, None))
    failure: Exception | None = None
    stored: dict[str, list[ResultRow]] = field(default_factory=dict)
    events: dict[str, list[JourneyRow]] = field(default_factory=dict)
    spend: dict[tuple[date, str, str, str], tuple[int, str]] = field(default_factory=dict)
    rates: dict[tuple[date, str], Fraction] = field(default_factory=dict)
    read: list[Progress] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    config: AttributionConfig = field(default_factory=AttributionConfig)
    fitted: list[Parameters] = field(default_factory=list)
    lifted: dict[str, RecordedTest] = field(default_factory=dict)
    run_list: RunList = field(default_factory=RunList)
    feed: Feed = field(default_factory=Feed)
    links: list[Link] = field(default_factory=list)
    is_closed: bool = False

    def add_credits(self, customer_id: str, found: ConversionCredits) -> None:
        """Store every model's credits of one conversion."""
        conversion = found.conversion
        self.stored.setdefault(customer_id, []).extend(
            ResultRow(
                model,
                conversion.conversion_id,
                conversion.conversion_type,
                at(conversion.at_us),
                conversion.value_micros,
                conversion.currency,
                found.rev,
                tuple(
                    TouchCredit(i, touch[1], at(touch[0]), touch[2], touch[3], weight, micros)
                    for i, (touch, weight, micros) in enumerate(
                        zip(found.touches, found.weights[m], found.micros[m], strict=True), start=1
                    )
                ),
            )
            for m, model in enumerate(found.models)
            if conversion.is_live
        )

    def add_touchpoints(self, events: Iterable[TouchpointEvent]) -> None:
        """Store raw touchpoints."""
        for e in events:
            self.events.setdefault(e.customer_id, []).append(
                JourneyRow(
                    "touchpoint",
                    e.event_id,
                    at(e.occurred_at_us),
                    channel=e.channel,
                    campaign=e.campaign or "",
                    touch_type=e.touch_type,
                    cost_micros=e.cost_micros,
                    currency=e.currency or "",
                )
            )

    def add_conversions(self, events: Iterable[ConversionWireEvent]) -> None:
        """Store raw conversions and corrections."""
        for e in events:
            self.events.setdefault(e.customer_id, []).append(
                JourneyRow(
                    "conversion",
                    e.event_id,
                    at(e.occurred_at_us),
                    conversion_type=e.conversion_type,
                    order_id=e.order_id or "",
                    value_micros=e.value_micros,
                    currency=e.currency,
                    status=e.status,
                    adjusts=e.adjusts or "",
                )
            )

    def add_spend(self, events: Iterable[SpendEvent]) -> None:
        """Store spend; a later one of the same day, channel, campaign and source replaces."""
        for e in events:
            key = (_EPOCH.date() + timedelta(days=e.spend_day), e.channel, e.campaign or "", e.source or "")
            self.spend[key] = (e.cost_micros, e.currency)

    def add_rates(self, rates: Iterable[tuple[date, str, Decimal]], *, base: str) -> None:
        """Store exchange rates: units of a currency for one of the base; a later one of the same day replaces."""
        for day, currency, rate in rates:
            self.rates[day, currency] = Fraction(rate)
            self.rates[day, base] = Fraction(1)

    def ping(self) -> None:
        """Answer, unless a failure is set."""
        if self.failure is not None:
            raise self.failure

    def standing(self) -> Standing:
        """The facts that were set; their state is not known, since they are anybody's to change."""
        self.ping()
        return Standing(self.facts, None)

    def channel_performance(
        self,
        start: date,
        end: date,
        model: str,
        currency: str,
        conversion_type: str = "",
        *,
        basis: Basis = "conversion_day",
        fx_max_age_days: int = FX_MAX_AGE_DAYS,
        state: State | None = None,  # noqa: ARG002 - computed from the facts at each call
        former: Page | None = None,  # noqa: ARG002 - as above
    ) -> Page:
        """Sums by channel, the unattributed row always."""
        self.ping()
        groups: dict[_Group, _Sums] = defaultdict(_Sums)
        for group, credit in self._credits(model, conversion_type, basis):
            if start <= group[0] <= end:
                groups[group].credits.append(credit)
        for (day, channel, campaign, _), (cost, cost_currency) in self.spend.items():
            if start <= day <= end:
                groups[day, day, channel, campaign, cost_currency].spend += cost
        channels: dict[str, _Sums] = defaultdict(_Sums, {UNATTRIBUTED: _Sums()})
        converted: set[str] = set()
        left_out: set[str] = set()
        for (_, rate_day, channel, _, own), sums in groups.items():
            factor = self._factor(rate_day, own, currency, fx_max_age_days)
            if own != currency:
                (left_out if factor is None else converted).add(own)
            if factor is not None:
                total = channels[channel]
                total.credits += sums.credits
                total.revenue += round(factor * sum(c.value_micros for c in sums.credits))
                total.spend += round(factor * sums.spend)
        rows = [
            ChannelRow(
                channel,
                fsum(c.weight for c in sums.credits),
                sums.revenue,
                sums.spend,
                sum(1 for c in sums.credits if c.touchpoint_id and c.weight),
                max((day for day, name, *_ in self.spend if name == channel and day <= end), default=None),
            )
            for channel, sums in channels.items()
        ]
        rows.sort(key=lambda r: (-r.revenue_micros, -r.spend_micros, r.channel))
        return Page(rows, sorted(left_out), sorted(converted))

    def _credits(self, model: str, conversion_type: str, basis: Basis) -> Iterator[tuple[_Group, TouchCredit]]:
        for row in (r for rows in self.stored.values() for r in rows):
            if row.model != model or conversion_type not in {"", row.conversion_type}:
                continue
            rate_day = row.converted_at.date()
            for credit in row.credits:
                is_cohort = basis == "touch_day" and credit.touchpoint_id
                day = credit.touched_at.date() if is_cohort else rate_day
                yield (day, rate_day, credit.channel, credit.campaign, row.currency), credit

    def _factor(self, day: date, own: str, target: str, max_age_days: int) -> Fraction | None:
        if own == target:
            return Fraction(1)
        rates = [self._rate(day, name, max_age_days) for name in (own, target)]
        return rates[1] / rates[0] if rates[0] and rates[1] else None

    def _rate(self, day: date, currency: str, max_age_days: int) -> Fraction | None:
        days = (day - timedelta(days=age) for age in range(max_age_days + 1))
        return next((self.rates[d, currency] for d in days if (d, currency) in self.rates), None)

    def results(self, customer_id: str, model: str | None, after: ResultKey | None, limit: int) -> list[ResultRow]:
        """A page of a customer's credits."""
        self.ping()
        rows = sorted(self.stored.get(customer_id, []), key=lambda r: r.key, reverse=True)
        meant = [r for r in rows if model in (None, r.model) and (after is None or r.key < after)]
        return meant[:limit]

    def journey(self, customer_id: str, after: EventKey | None, limit: int) -> list[JourneyRow]:
        """A page of a customer's events."""
        self.ping()
        rows = sorted(self.events.get(customer_id, []), key=lambda r: _rank(r.key))
        return [r for r in rows if after is None or _rank(r.key) > _rank(after)][:limit]

    def earned(
        self, customer_id: str, models: tuple[str, ...], first: datetime, last: datetime, limit: int
    ) -> list[EarnedCredit]:
        """Credits of the touches within a span."""
        self.ping()
        rows = sorted(self.stored.get(customer_id, []), key=lambda r: (r.model, r.converted_at, r.conversion_id))
        return [
            EarnedCredit(r.model, r.conversion_id, c.touchpoint_id, c.weight, c.value_micros, r.currency)
            for r in rows
            if r.model in models
            for c in r.credits
            if first <= c.touched_at <= last
        ][:limit]

    def progress(self) -> list[Progress]:
        """What was set, by topic and partition."""
        self.ping()
        return sorted(self.read, key=lambda p: (p.topic, p.partition))

    def dead_letters(self) -> list[DeadLetters]:
        """Counts by reason."""
        self.ping()
        return [DeadLetters(r, n) for r, n in sorted(self.refused.items(), key=lambda item: (-item[1], item[0]))]

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True


@dataclass(slots=True)
class MemoryOffsets:
    """Ends of partitions that were set; ``reason`` makes Kafka unreachable."""

    bounds: dict[tuple[str, int], Bounds] = field(default_factory=dict)
    reason: str = ""
    is_closed: bool = False

    def read(self) -> dict[tuple[str, int], Bounds]:
        """The ends."""
        if self.reason:
            raise Unavailable("kafka", self.reason)
        return self.bounds

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True


@dataclass(slots=True)
class MemoryProducer:
    """Records in a list. ``refuse`` says by index and record why one is not confirmed, ``""`` when it is."""

    records: list[OutRecord] = field(default_factory=list)
    refuse: Callable[[int, OutRecord], str] = lambda _index, _record: ""
    reason: str = ""
    is_closed: bool = False

    def write(self, records: Sequence[OutRecord]) -> dict[int, str]:
        """Keep what is not refused."""
        if self.reason:
            return dict.fromkeys(range(len(records)), self.reason)
        reasons = [self.refuse(index, record) for index, record in enumerate(records)]
        self.records += [record for record, reason in zip(records, reasons, strict=True) if not reason]
        return {index: reason for index, reason in enumerate(reasons) if reason}

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True


def _rank(key: EventKey) -> tuple[datetime, bool, str]:
    return (key.occurred_at, key.kind == "conversion", key.event_id)
