"""Channel sums as a report: ratios of sums, totals, JSON, CSV.

A ratio is ``None`` where its divisor is zero. Totals are computed from summed sums, never from ratios.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from hashlib import sha256
from math import fsum
from typing import Final

import msgspec

from api.analytics_responses import ChannelNumbers, ChannelPerformance, Performance
from api.errors import Problem
from api.report_days import Asked
from api.responses import Meta, amount
from api.store import ChannelRow, Page

CSV_COLUMNS: Final = (
    "channel",
    "conversions",
    "revenue",
    "revenue_micros",
    "spend",
    "spend_micros",
    "touchpoints",
    "cpa",
    "roas",
    "roi",
    "spend_through",
)

#: A spreadsheet runs a cell that begins so as a formula; channel names come from the outside.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class Shown:
    """A report as bytes, each form written once, however often it is given.

    Args:
        asked: which report.
        page: its sums.
    """

    def __init__(self, asked: Asked, page: Page) -> None:
        self.asked, self.page = asked, page
        self._channels = [channel(row) for row in page.rows]

    @cached_property
    def digest(self) -> str:
        """Differs when the numbers do, or what was asked."""
        page = self.page
        plain = (self.asked, page.rows, page.other_currencies, page.converted_currencies)
        return sha256(msgspec.json.encode(plain)).hexdigest()

    @cached_property
    def csv(self) -> bytes:
        """See ``to_csv``."""
        return to_csv(self._channels).encode()

    def json(self, meta: Meta) -> bytes:
        """The answer as ``ChannelReport``; of ``meta`` only is written what it says now."""
        return b'%b,"meta":%b}' % (self._head, meta.model_dump_json().encode())

    @cached_property
    def _head(self) -> bytes:
        asked, page = self.asked, self.page
        numbers = ChannelNumbers(
            start_date=asked.start,
            end_date=asked.end,
            basis=asked.basis,
            channels=self._channels,
            totals=totals(page.rows),
            other_currencies=page.other_currencies,
            converted_currencies=page.converted_currencies,
            spend_behind=spend_behind(page.rows, asked.end),
        )
        return numbers.model_dump_json().encode().removesuffix(b"}")


def channel(row: ChannelRow) -> ChannelPerformance:
    """One channel with its ratios."""
    sums = performance(row.conversions, row.revenue_micros, row.spend_micros, row.touchpoints)
    return ChannelPerformance(channel=row.channel, **sums.model_dump(), spend_through=row.spend_through)


def spend_behind(rows: Sequence[ChannelRow], end: date) -> list[str]:
    """Channels whose spend is known, but not up to the end of the period: their ratios may still get worse."""
    return sorted(r.channel for r in rows if r.spend_through is not None and r.spend_through < end)


def totals(rows: Sequence[ChannelRow] | Sequence[Performance]) -> Performance:
    """All channels together, unattributed included."""
    return performance(
        fsum(r.conversions for r in rows),
        sum(r.revenue_micros for r in rows),
        sum(r.spend_micros for r in rows),
        sum(r.touchpoints for r in rows),
    )


def performance(conversions: float, revenue: int, spend: int, touchpoints: int) -> Performance:
    """Sums with their ratios."""
    return Performance(
        conversions=conversions,
        revenue=amount(revenue),
        revenue_micros=revenue,
        spend=amount(spend),
        spend_micros=spend,
        touchpoints=touchpoints,
        cpa=amount(spend) / conversions if conversions else None,
        roas=revenue / spend if spend else None,
        roi=(revenue - spend) / spend if spend else None,
    )


def to_csv(channels: Iterable[ChannelPerformance]) -> str:
    """One line per channel under a header; no totals line, so that a sum over a column is right. Empty: no ratio."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in channels:
        plain = row.model_dump()
        plain["channel"] = harmless(row.channel)
        writer.writerow(plain)
    return out.getvalue()


def harmless(value: object) -> object:
    """A text that no spreadsheet runs as a formula; other values as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def wants_csv(accept: str | None) -> bool:
    """Whether the client would rather have CSV than JSON (JSON when it does not care).

    Raises:
        Problem: 406, it accepts neither.
    """
    if not accept:
        return False
    weights = {kind: _quality(accept, kind) for kind in ("application/json", "text/csv")}
    if max(weights.values()) == 0:
        raise Problem(406, "This is given as application/json or text/csv; accept one of them.")
    return weights["text/csv"] > weights["application/json"]


def _quality(accept: str, kind: str) -> float:
    """The weight that an Accept header gives a type: the most exact range that covers it decides."""
    main = kind.partition("/")[0]
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        found[name] = quality
    return next((found[name] for name in (kind, f"{main}/*", "*/*") if name in found), 0.0)
