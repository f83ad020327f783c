"""``analytics_store.Analytics`` over ClickHouse."""

from __future__ import annotations

import json
from collections import defaultdict
from math import fsum
from typing import Any

from api.analytics_store import ConversionFacts, CreditSum, StoredRow, SumKey, Sums, SumsAsked
from api.rates import Rates
from api.store import Unavailable
from attribution.config import config_of
from attribution.identity import Link, resolve_links
from attribution.types import ConversionEvent


class ClickHouseAnalytics:
    """Mixed into the store, which runs the queries."""

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def sums(self, asked: SumsAsked) -> Sums:
        """Credits and spend by what was asked for."""
        span = {"start": asked.start, "end": asked.end}
        groups = {"currency": asked.currency, "bucket": asked.bucket, "by_campaign": int(asked.by_campaign)}
        credit_rows = self._run(
            "analytics_credits_touch" if asked.basis == "touch_day" else "analytics_credits",
            models=list(asked.models),
            conversion_type=asked.conversion_type,
            **span,
            **groups,
        )
        spend_rows = self._run("analytics_spend", **span, **groups)
        foreign = [r["rate_day"] for r in (*credit_rows, *spend_rows) if r["of_currency"] != asked.currency]
        rates = self.rates(min(foreign), max(foreign), asked.fx_max_age_days) if foreign else Rates((), 0)
        left_out: set[str] = set()
        converted: set[str] = set()

        def amount(row: dict[str, Any]) -> int | None:
            own = row["of_currency"]
            micros = rates.convert(row["micros"], own, asked.currency, row["rate_day"])
            if micros is None:
                left_out.add(own)
            elif own != asked.currency:
                converted.add(own)
            return micros

        def key(row: dict[str, Any]) -> SumKey:
            return SumKey(row["shown"], row["of_channel"], row["of_campaign"] if asked.by_campaign else "")

        parts: dict[str, dict[SumKey, list[CreditSum]]] = defaultdict(lambda: defaultdict(list))
        for row in credit_rows:
            if (micros := amount(row)) is not None:
                parts[row["of_model"]][key(row)].append(CreditSum(row["weight"], micros, row["touches"]))
        spend: dict[SumKey, int] = defaultdict(int)
        for row in spend_rows:
            if (micros := amount(row)) is not None:
                spend[key(row)] += micros
        return Sums(
            {model: {k: total(some) for k, some in by_key.items()} for model, by_key in parts.items()},
            dict(spend),
            tuple(sorted(left_out)),
            tuple(sorted(converted)),
        )

    def rates(self, start: Any, end: Any, max_age_days: int) -> Rates:
        """Rates of the days from start to end."""
        rows = self._run("analytics_rates", start=start, end=end, fx_max_age_days=max_age_days)
        return Rates([(r["of_currency"], r["published"], int(r["units"])) for r in rows], max_age_days)

    def conversion_facts(self, conversion_id: str) -> ConversionFacts | None:
        """Everything that explains a conversion."""
        rows = self._run("explain_history", conversion_id=conversion_id)
        if not rows:
            return None
        (run,) = self._run("explain_config")
        plain = json.loads(run["config"] or "{}")
        if not plain.get("models"):
            raise Unavailable("clickhouse", "the run has no parameters yet; start its worker, which records them")
        ids = self._same_person(rows[-1]["customer_id"])
        touches = self._run("facts_touchpoints_of", customers=ids)
        events = self._run("facts_conversions_of", customers=ids)
        return ConversionFacts(
            [_stored(row) for row in rows],
            ids,
            [(r["at_us"], r["event_id"], r["channel"], r["campaign"]) for r in touches],
            [ConversionEvent(**{name: r[name] for name in ConversionEvent._fields}) for r in events],
            config_of(plain),
            run["config_hash"],
        )

    def _same_person(self, customer_id: str) -> list[str]:
        links: set[Link] = set()
        ids, asked = {customer_id}, set[str]()
        while ids != asked:
            more = self._run("explain_links", customers=sorted(ids - asked))
            asked = set(ids)
            links |= {Link(r["at_us"], r["event_id"], r["previous_id"], r["customer_id"]) for r in more}
            ids |= {name for link in links for name in (link.previous_id, link.customer_id)}
        people = resolve_links(links)
        return sorted(name for name in ids if people.survivor(name) == people.survivor(customer_id))


def total(parts: list[CreditSum]) -> CreditSum:
    """Several sums as one. Weights to nine decimals: the engine adds them in any order, and a tag must not follow it."""
    return CreditSum(
        round(fsum(p.conversions for p in parts), 9),
        sum(p.revenue_micros for p in parts),
        sum(p.touchpoints for p in parts),
    )


def _stored(row: dict[str, Any]) -> StoredRow:
    return StoredRow(
        row["rev"],
        row["customer_id"],
        row["converted_at"],
        row["value_micros"],
        row["currency"],
        bool(row["is_deleted"]),
        row["config_hash"],
        row["emitted_at"],
        tuple(row["models"]),
        tuple(row["ids"]),
        tuple(map(tuple, row["weights"])),
        tuple(map(tuple, row["micros"])),
    )
