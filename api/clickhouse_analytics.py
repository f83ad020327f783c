"""``analytics_store.Analytics`` over ClickHouse."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any, Final

from api.analytics_store import ConversionFacts, CreditSum, StoredRow, SumKey, Sums, SumsAsked
from api.store import Unavailable
from attribution.config import config_in
from attribution.fitted import Fit, Timeline
from attribution.identity import Link, resolve_links
from attribution.types import ConversionEvent
from datadriven.credits import CreditRule
from datadriven.parameters import Parameters, decode

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ClickHouseAnalytics:
    """Mixed into the store, which runs the queries."""

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def sums(self, asked: SumsAsked) -> Sums:
        """Credits and spend by what was asked for."""
        span = {"start": asked.start, "end": asked.end, "fx_max_age_days": asked.fx_max_age_days}
        groups = {"currency": asked.currency, "bucket": asked.bucket, "by_campaign": int(asked.by_campaign)}
        credit_rows = self._run(
            "analytics_credits_touch" if asked.basis == "touch_day" else "analytics_credits",
            models=list(asked.models),
            conversion_type=asked.conversion_type,
            **span,
            **groups,
        )
        spend_rows = self._run("analytics_spend", **span, **groups)
        credits_: dict[str, dict[SumKey, CreditSum]] = defaultdict(dict)
        for row in credit_rows:
            if row["has_usable"]:
                found = CreditSum(row["conversions"], row["revenue_micros"], row["touchpoints"])
                credits_[row["of_model"]][_key(row)] = total([found])
        every = (*credit_rows, *spend_rows)
        return Sums(
            dict(credits_),
            {_key(row): row["spend_micros"] for row in spend_rows if row["has_usable"]},
            tuple(sorted({currency for row in every for currency in row["left_out"]})),
            tuple(sorted({currency for row in every for currency in row["converted"]})),
        )

    def conversion_facts(self, conversion_id: str) -> ConversionFacts | None:
        """Everything that explains a conversion."""
        rows = self._run("explain_history", conversion_id=conversion_id)
        if not rows:
            return None
        (run,) = self._run("explain_config")
        config = config_in(run["config"])
        if config is None:
            raise Unavailable("clickhouse", "the run has no parameters yet; start its worker, which records them")
        ids = self._same_person(rows[-1]["customer_id"])
        touches = self._run("facts_touchpoints_of", customers=ids)
        events = self._run("facts_conversions_of", customers=ids)
        return ConversionFacts(
            [_stored(row) for row in rows],
            ids,
            [(r["at_us"], r["event_id"], r["channel"], r["campaign"]) for r in touches],
            [ConversionEvent(**{name: r[name] for name in ConversionEvent._fields}) for r in events],
            config,
            run["config_hash"],
            self._fits_at({row["converted_at"] for row in rows}),
        )

    def _fits_at(self, times: set[datetime]) -> Timeline:
        """The fits that count for conversions at these times."""
        at_us = [round((at - _EPOCH) / timedelta(microseconds=1)) for at in times]
        fits = [decode(row["parameters"].encode()) for row in self._run("fits_at", times_us=at_us)]
        return Timeline(Fit(p.version, p.effective_from_us, CreditRule(p)) for p in fits)

    def fits(self, limit: int) -> list[Parameters]:
        """Fits that were published, the one that counts last first."""
        return [decode(row["parameters"].encode()) for row in self._run("fits_newest", limit=limit)]

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


def _key(row: dict[str, Any]) -> SumKey:
    return SumKey(row["shown"], row["of_channel"], row["campaign"])


def total(parts: list[CreditSum]) -> CreditSum:
    """Several sums as one. Weights to nine decimals: the engine adds in any order, and a tag must not follow it."""
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
