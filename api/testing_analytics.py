"""The double's answers to ``analytics_store.Analytics``, computed conversion by conversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from api.analytics_store import Bucket, ConversionFacts, CreditSum, StoredRow, SumKey, Sums, SumsAsked
from api.clickhouse_analytics import total
from attribution.config import AttributionConfig
from attribution.types import ConversionEvent, Touch

if TYPE_CHECKING:
    from api.store import JourneyRow, ResultRow
    from datadriven.parameters import Parameters

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryAnalytics:
    """Mixed into the double, whose facts these are."""

    __slots__ = ()

    stored: dict[str, list[ResultRow]]
    events: dict[str, list[JourneyRow]]
    spend: dict[tuple[date, str, str, str], tuple[int, str]]
    config: AttributionConfig
    fitted: list[Parameters]
    ping: Callable[[], None]
    _credits: Callable[..., Iterator[Any]]
    _factor: Callable[[date, str, str, int], Fraction | None]

    def sums(self, asked: SumsAsked) -> Sums:
        """Credits and spend by what was asked for."""
        self.ping()
        left_out: set[str] = set()
        converted: set[str] = set()

        def amount(micros: int, own: str, day: date) -> int | None:
            factor = self._factor(day, own, asked.currency, asked.fx_max_age_days)
            if own != asked.currency:
                (left_out if factor is None else converted).add(own)
            return None if factor is None else round(micros * factor)

        def key(day: date, channel: str, campaign: str) -> SumKey:
            return SumKey(_first(day, asked.bucket) or asked.start, channel, campaign if asked.by_campaign else "")

        credits_ = {m: found for m in asked.models if (found := self._credit_sums(asked, m, amount, key))}
        costs: dict[tuple[date, str, str, str], int] = defaultdict(int)
        for (day, channel, campaign, _), (cost, own) in self.spend.items():
            if asked.start <= day <= asked.end:
                costs[day, channel, campaign, own] += cost
        spend: dict[SumKey, int] = defaultdict(int)
        for (day, channel, campaign, own), cost in costs.items():
            if (micros := amount(cost, own, day)) is not None:
                spend[key(day, channel, campaign)] += micros
        return Sums(credits_, dict(spend), tuple(sorted(left_out)), tuple(sorted(converted)))

    def _credit_sums(
        self,
        asked: SumsAsked,
        model: str,
        amount: Callable[[int, str, date], int | None],
        key: Callable[[date, str, str], SumKey],
    ) -> dict[SumKey, CreditSum]:
        groups: dict[Any, list[Any]] = defaultdict(list)
        for group, credit in self._credits(model, asked.conversion_type, asked.basis):
            if asked.start <= group[0] <= asked.end:
                groups[group].append(credit)
        parts: dict[SumKey, list[CreditSum]] = defaultdict(list)
        for (day, rate_day, channel, campaign, own), some in groups.items():
            micros = amount(sum(c.value_micros for c in some), own, rate_day)
            if micros is not None:
                touches = sum(1 for c in some if c.touchpoint_id and c.weight)
                parts[key(day, channel, campaign)].append(CreditSum(sum(c.weight for c in some), micros, touches))
        return {k: total(some) for k, some in parts.items()}

    def fits(self, limit: int) -> list[Parameters]:
        """So many of those that a test has put there, the one that counts last first."""
        self.ping()
        return sorted(self.fitted, key=lambda fit: (-fit.effective_from_us, fit.version))[:limit]

    def conversion_facts(self, conversion_id: str) -> ConversionFacts | None:
        """Everything that explains a conversion; the double holds one row of each."""
        self.ping()
        for customer_id, every in self.stored.items():
            mine = [r for r in every if r.conversion_id == conversion_id]
            if mine:
                events = self.events.get(customer_id, [])
                return ConversionFacts(
                    [_stored(customer_id, mine, self.config.config_hash())],
                    [customer_id],
                    [_touch(e) for e in events if e.kind == "touchpoint"],
                    [_event(e) for e in events if e.kind == "conversion"],
                    self.config,
                    self.config.config_hash(),
                )
        return None


def _first(day: date, bucket: Bucket) -> date | None:
    match bucket:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    return None


def _stored(customer_id: str, mine: list[ResultRow], config_hash: str) -> StoredRow:
    first = mine[0]
    return StoredRow(
        first.rev,
        customer_id,
        first.converted_at,
        first.value_micros,
        first.currency,
        False,
        config_hash,
        None,
        tuple(r.model for r in mine),
        tuple(c.touchpoint_id for c in first.credits),
        tuple(zip(*([c.weight for c in r.credits] for r in mine), strict=True)),
        tuple(zip(*([c.value_micros for c in r.credits] for r in mine), strict=True)),
    )


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _touch(row: JourneyRow) -> Touch:
    return (_us(row.occurred_at), row.event_id, row.channel, row.campaign)


def _event(row: JourneyRow) -> ConversionEvent:
    return ConversionEvent(
        _us(row.occurred_at),
        row.event_id,
        row.conversion_type,
        row.order_id,
        row.value_micros,
        row.currency,
        row.status,  # type: ignore[arg-type]  # a row of the port has it as text
        row.adjusts,
    )
