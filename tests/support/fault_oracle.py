"""What the rows must be: the batch reference over the ledger, without a line of the worker's code.

``attribution.batch`` shares only types with the hot path; the way from an event to those types, conversion ids, owners
and the daily sums are written here a second time.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, cast

from attribution.batch import attribute_all
from attribution.config import AttributionConfig
from attribution.types import ConversionCredits, ConversionEvent, Status
from fault_ledger import Ledger
from schemas.events import ConversionWireEvent


class Row(NamedTuple):
    """One row of ``attributions``, without ``rev`` and time of writing; ``touches``: id, time, channel, campaign."""

    customer_id: str
    conversion_type: str
    converted_at_us: int
    value_micros: int
    currency: str
    touches: tuple[tuple[str, int, str, str], ...]
    weights: tuple[float, ...]
    micros: tuple[int, ...]
    fallback: str


#: ``(model, conversion_id)``
Key = tuple[str, str]


class DayKey(NamedTuple):
    """What a daily sum is over."""

    day: date
    model: str
    channel: str
    campaign: str
    currency: str
    conversion_type: str


class DaySum(NamedTuple):
    """``value_micros`` and ``touchpoints`` are exact; ``conversions`` is a sum of float weights."""

    value_micros: int
    touchpoints: int
    conversions: float


def expected_rows(ledger: Ledger, config: AttributionConfig) -> dict[Key, Row]:
    """Every row that must be visible."""
    touches = [(e.customer_id, (e.occurred_at_us, e.event_id, e.channel, e.campaign or "")) for e in ledger.touches()]
    events = list(ledger.conversions())
    owners = {conversion_id_of(e): e.customer_id for e in events if not e.adjusts}
    rows: dict[Key, Row] = {}
    for conversion_id, found in attribute_all(touches, [(e.customer_id, _core(e)) for e in events], config).items():
        if found.conversion.is_live:
            rows.update(_rows(conversion_id, owners[conversion_id], found))
    return rows


def conversion_id_of(event: ConversionWireEvent) -> str:
    """Id of the conversion that an event which corrects nothing belongs to."""
    return f"{event.conversion_type}:{event.order_id}" if event.order_id else event.event_id


def _core(e: ConversionWireEvent) -> ConversionEvent:
    status = cast(Status, e.status)
    order, adjusts = e.order_id or "", e.adjusts or ""
    return ConversionEvent(
        e.occurred_at_us, e.event_id, e.conversion_type, order, e.value_micros, e.currency, status, adjusts
    )


def _rows(conversion_id: str, customer_id: str, found: ConversionCredits) -> dict[Key, Row]:
    c = found.conversion
    touches = tuple((event_id, at, channel, campaign) for at, event_id, channel, campaign in found.touches)
    return {
        (model, conversion_id): Row(
            customer_id, c.conversion_type, c.at_us, c.value_micros, c.currency, touches, weights, micros, fallback
        )
        for model, weights, micros, fallback in zip(
            found.models, found.weights, found.micros, found.fallbacks, strict=True
        )
    }


def expected_sums(rows: dict[Key, Row]) -> dict[DayKey, DaySum]:
    """Daily sums of rows."""
    sums: dict[DayKey, tuple[int, int, float]] = defaultdict(lambda: (0, 0, 0.0))
    for (model, _), row in rows.items():
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.converted_at_us)).date()
        for (touch_id, _, channel, campaign), weight, micros in zip(row.touches, row.weights, row.micros, strict=True):
            key = DayKey(day, model, channel, campaign, row.currency, row.conversion_type)
            value, count, conversions = sums[key]
            sums[key] = (value + micros, count + (weight != 0 and touch_id != ""), conversions + weight)
    return {key: DaySum(*found) for key, found in sums.items()}
