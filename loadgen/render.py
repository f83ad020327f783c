"""From rows to records: ids, names and bytes. Equal rows give equal bytes, so a redelivery is a true copy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from loadgen.malformed import CONVERSION_DAMAGES, TOUCH_DAMAGES
from loadgen.records import KINDS, Kind, Record
from loadgen.rows import AVRO, CONVERSION_TYPES, MICROS, MILLIS, STATUSES, TOUCH
from loadgen.spend import SpendLedger
from loadgen.wire import avro, conversion_json, mapping, spend_json, touch_json
from schemas.events import ConversionWireEvent, TouchpointEvent
from schemas.topics import topic_in, topic_of

if TYPE_CHECKING:
    from loadgen.clocks import Ints
    from loadgen.config import PopulationConfig
    from loadgen.malformed import Damage
    from loadgen.rows import Rows

#: Columns of a row that are read one by one; ``render`` unpacks them in this order.
_COLUMNS: Final = (
    "kind",
    "customer",
    "channel",
    "campaign",
    "amount",
    "form",
    "is_derived",
    "type",
    "status",
    "order",
    "adjusts",
    "by_order",
    "is_duplicate",
    "is_malformed",
    "damage",
)
_DAY_US: Final = 86_400_000_000
_COUNTRIES: Final = ("US", "DE", "GB", "FR", "US", "NL", "US", "ES", "CA", "IT", "US")
_DEVICES: Final = ("mobile", "desktop", "mobile", "mobile", "desktop", "tablet", "mobile")
_THEMES: Final = ("spring", "brand", "launch", "summer", "retarget", "holiday", "outlet", "prospects")
#: Odd, so that multiplying by it permutes the 48-bit numbers: ids look random and stay unique.
_SCRAMBLE: Final = 0x9E3779B97F4B
_MASK: Final = (1 << 48) - 1
#: A spend report has a record for each campaign; this many other records at least stand between two reports of it.
_RECORDS_A_REPORTED_CAMPAIGN: Final = 60


class Renderer:
    """Makes the records of one stream; ids hold a hash of its seed and start, so that two streams never share one."""

    def __init__(self, config: PopulationConfig, *, seed: int, start_at_us: int) -> None:
        self._topics: dict[Kind, str] = {kind: topic_in(config.workspace, topic_of(kind).topic) for kind in KINDS}
        self.id_hash = hashlib.blake2b(f"{seed}:{start_at_us}".encode(), digest_size=4).hexdigest()
        self._prefix = self.id_hash + "-"
        self._ledger = SpendLedger(self._prefix)
        self._channels = config.channels
        self._campaigns = [
            [f"{c.name.lower().replace(' ', '-')}-{_THEMES[i % len(_THEMES)]}-{i + 1}" for i in range(c.campaigns)]
            for c in config.channels
        ]
        paid = sum(c.campaigns for c in config.channels if c.click_cost_micros)
        self._report_every = max(round(config.events_per_day), paid * _RECORDS_A_REPORTED_CAMPAIGN, 1)
        self._since_report = 0
        names = [name for name, _ in config.currencies]
        weights = np.array([weight for _, weight in config.currencies])
        # A hundred slots dealt by weight: a customer always pays in the currency of its slot.
        slots = np.searchsorted(np.cumsum(weights / weights.sum()), (np.arange(100) + 0.5) / 100)
        self._currencies = [names[i] for i in slots]

    def render(self, rows: Rows, at_us: Ints) -> list[Record]:
        """The records of ``rows``, which happened at ``at_us``, in the same order, with spend reports in between."""
        at_us = np.where(rows["form"] == MILLIS, at_us // 1000 * 1000, at_us)
        ids, orders, adjusted = (_scrambled(rows[name]) for name in ("event", "order", "adjusts"))
        columns = [rows[name].tolist() for name in _COLUMNS]
        out: list[Record] = []
        for number, at, order_number, base, (
            kind, customer, channel, campaign, amount, form, is_derived, type_, status, order, adjusts,
            by_order, is_duplicate, is_malformed, damage,
        ) in zip(ids, at_us.tolist(), orders, adjusted, zip(*columns, strict=True), strict=True):  # fmt: skip
            event_id = f"{self._prefix}{number:012x}"
            if kind == TOUCH:
                record = self._touch(event_id, at, customer, channel, campaign, amount, form, is_derived, is_duplicate)
                if amount and not is_duplicate and not is_malformed:
                    self._ledger.add(
                        at // _DAY_US, self._channels[channel].name, self._campaign(channel, campaign), amount
                    )
            else:
                record = self._conversion(
                    event_id, at, customer, amount, form, type_, status,
                    None if order < 0 else f"o-{self._prefix}{order_number:012x}",
                    None if adjusts < 0 else f"{'o-' if by_order else ''}{self._prefix}{base:012x}",
                    is_duplicate,
                )  # fmt: skip
            out.append(self._damaged(record, damage) if is_malformed else record)
            self._since_report += 1
            if self._since_report >= self._report_every:
                self._since_report = 0
                out.extend(self._spend())
        return out

    def _campaign(self, channel: int, campaign: int) -> str:
        return self._campaigns[channel][campaign] if campaign >= 0 else ""

    def _touch(
        self,
        event_id: str,
        at: int,
        customer: int,
        channel: int,
        campaign: int,
        amount: int,
        form: int,
        is_derived: int,
        is_duplicate: int,
    ) -> Record:
        source = self._channels[channel]
        customer_id = f"cust-{customer:07d}"
        event = TouchpointEvent(
            event_id=event_id,
            customer_id=customer_id,
            occurred_at_us=at,
            channel=source.name,
            campaign=self._campaigns[channel][campaign] if campaign >= 0 else None,
            touch_type=source.touch_type,
            source=source.source,
            medium=source.medium,
            cost_micros=amount,
            currency="USD" if amount else None,
            country=_COUNTRIES[customer % len(_COUNTRIES)],
            device_type=_DEVICES[customer % len(_DEVICES)],
        )
        # Avro has a field for the channel, and a producer that fills a schema fills it.
        value = avro(event) if form == AVRO else touch_json(event, form, is_derived=bool(is_derived))
        return Record(
            "touchpoint",
            self._topics["touchpoint"],
            customer_id.encode(),
            value,
            False,
            None,
            event,
            bool(is_duplicate),
        )

    def _conversion(
        self, event_id: str, at: int, customer: int, amount: int, form: int, type_: int, status: int,
        order_id: str | None, adjusts: str | None, is_duplicate: int,
    ) -> Record:  # fmt: skip
        customer_id = f"cust-{customer:07d}"
        event = ConversionWireEvent(
            event_id=event_id,
            customer_id=customer_id,
            occurred_at_us=at,
            conversion_type=CONVERSION_TYPES[type_],
            order_id=order_id,
            value_micros=amount,
            currency=self._currencies[customer % 100],
            status=STATUSES[status],
            adjusts=adjusts,
        )
        value = avro(event) if form == AVRO else conversion_json(event, form)
        return Record(
            "conversion",
            self._topics["conversion"],
            customer_id.encode(),
            value,
            False,
            None,
            event,
            bool(is_duplicate),
        )

    def _damaged(self, record: Record, number: int) -> Record:
        damages: tuple[Damage, ...]
        if isinstance(record.event, TouchpointEvent):
            damages, wire = TOUCH_DAMAGES, mapping(touch_json(record.event, MICROS, is_derived=False))
        elif isinstance(record.event, ConversionWireEvent):
            damages, wire = CONVERSION_DAMAGES, mapping(conversion_json(record.event, MICROS))
        else:
            raise TypeError(f"no damages are known for {record.event!r}")
        damage = damages[number % len(damages)]
        broken = damage.make(wire, record.key, avro(record.event))
        return record._replace(
            key=broken.key, value=broken.value, is_malformed=True, expected_reason=damage.reason, event=None
        )

    def _spend(self) -> list[Record]:
        return [
            Record("spend", self._topics["spend"], e.channel.encode(), spend_json(e), False, None, e)
            for e in self._ledger.report()
        ]


def _scrambled(numbers: Ints) -> list[int]:
    scrambled: list[int] = ((numbers.astype(np.uint64) * np.uint64(_SCRAMBLE)) & np.uint64(_MASK)).tolist()
    return scrambled
