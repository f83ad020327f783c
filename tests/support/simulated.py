"""A seeded population as test input, and what the batch reference makes of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from attribution.config import AttributionConfig
from attribution.fitted import Fit
from attribution.identity import Link
from loadgen.config import PopulationConfig
from loadgen.population import Population
from loadgen.records import Record
from schemas.codec import encode_json
from schemas.events import ConversionWireEvent, IdentityEvent, TouchpointEvent
from stream_app.grouping import to_conversion_event, to_touch
from stream_harness import Credit, Sent, Stream, batch_credits, differences

#: 2026-09-01; event times must not be ahead of the broker's clock.
START_US = 1_788_220_800_000_000


@dataclass(frozen=True)
class Input:
    """Records in arrival order."""

    records: Sequence[Record]

    def sent(self) -> list[Sent]:
        """What is produced."""
        return [Sent(r.kind, r.key, r.value) for r in self.records]

    def expected(self, config: AttributionConfig | None = None, fits: Sequence[Fit] = ()) -> dict[str, list[Credit]]:
        """Rows of the batch reference over the valid events."""
        events = [r.event for r in self.records if r.event is not None]
        return batch_credits(
            [(e.customer_id, to_touch(e)) for e in events if isinstance(e, TouchpointEvent)],
            [(e.customer_id, to_conversion_event(e)) for e in events if isinstance(e, ConversionWireEvent)],
            config,
            fits=fits,
            links=[
                Link(e.occurred_at_us, e.event_id, e.previous_id, e.customer_id)
                for e in events
                if isinstance(e, IdentityEvent)
            ],
        )

    def malformed(self) -> Counter[tuple[bytes, bytes, str | None]]:
        """Key, value and reason of every record that must become a dead letter."""
        return Counter((r.key, r.value, r.expected_reason) for r in self.records if r.is_malformed)


def simulated(count: int, seed: int, customers: int = 3_000) -> Input:
    """5 % duplicates, 10 % out of order, late events, refunds, restatements, 2 % malformed records, JSON and Avro."""
    config = PopulationConfig(
        customers=customers, duplicates=0.05, out_of_order=0.10, late=0.05, refunds=0.08, malformed=0.02
    )
    population = Population(config, seed=seed, start_at_us=START_US)
    return Input(list(population.records(count)))


def with_devices(data: Input, seed: int) -> Input:
    """The same customers, a third of them under up to three device ids before they sign in; links come at any time.

    Devices are chained (d1 → d2 → customer) or linked directly; some links come twice.
    """
    rng = random.Random(seed)
    records: list[Record] = []
    links: list[Record] = []
    devices: dict[str, list[str]] = {}
    for sent in data.records:
        record, event = sent, sent.event
        if not isinstance(event, TouchpointEvent | ConversionWireEvent):
            records.append(record)
            continue
        customer = event.customer_id
        if customer not in devices:
            count = rng.choice((0, 0, 0, 0, 1, 3))
            devices[customer] = [f"device-{i}-{customer}" for i in range(count)]
            links += _links(customer, devices[customer], event.occurred_at_us, rng)
        name = rng.choice([customer, *devices[customer]])
        if name != customer:
            event = msgspec.structs.replace(event, customer_id=name)
            record = record._replace(key=name.encode(), value=encode_json(event), event=event)
        records.append(record)
    for link in links:
        records.insert(rng.randint(0, len(records)), link)
    return Input(records)


def _links(customer: str, devices: list[str], at_us: int, rng: random.Random) -> list[Record]:
    found = []
    for i, device in enumerate(devices):
        survivor = devices[i + 1] if i + 1 < len(devices) and rng.random() < 0.5 else customer
        event = IdentityEvent(f"link-{device}", survivor, device, at_us + rng.randint(0, 10**9))
        topic = "attribution.identities"
        record = Record("identity", topic, survivor.encode(), encode_json(event), False, None, event)
        found += [record] * rng.choice((1, 1, 2))
    return found


def assert_converged(stream: Stream, data: Input) -> None:
    """ClickHouse holds exactly the batch answer, and the dead letters are exactly the malformed records."""
    assert differences(stream.credits(), data.expected()) == ""
    letters = Counter((key or b"", value or b"", h["dlq.reason"]) for key, value, h in stream.dead_letters())
    assert letters == data.malformed()
