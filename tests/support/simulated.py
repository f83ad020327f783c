"""A seeded population as test input, and what the batch reference makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.config import PopulationConfig
from loadgen.population import Population
from loadgen.records import Record
from schemas.events import ConversionWireEvent, TouchpointEvent
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

    def expected(self) -> dict[str, list[Credit]]:
        """Rows of the batch reference over the valid events."""
        events = [r.event for r in self.records if r.event is not None]
        return batch_credits(
            [(e.customer_id, to_touch(e)) for e in events if isinstance(e, TouchpointEvent)],
            [(e.customer_id, to_conversion_event(e)) for e in events if isinstance(e, ConversionWireEvent)],
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


def assert_converged(stream: Stream, data: Input) -> None:
    """ClickHouse holds exactly the batch answer, and the dead letters are exactly the malformed records."""
    assert differences(stream.credits(), data.expected()) == ""
    letters = Counter((key or b"", value or b"", h["dlq.reason"]) for key, value, h in stream.dead_letters())
    assert letters == data.malformed()
