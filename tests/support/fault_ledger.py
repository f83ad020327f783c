"""The ledger of a fault run: every record that the broker acknowledged, where it lies, and what was meant by it.

The broker's acknowledgement alone makes an entry; what was sent and never acknowledged is nobody's promise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import Producer

from loadgen.records import Record
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent
from stream_harness import Stream


class Acked(NamedTuple):
    """One acknowledged record and its place."""

    record: Record
    topic: str
    partition: int
    offset: int

    @property
    def place(self) -> tuple[str, int, int]:
        """Where the record lies: what identifies it."""
        return (self.topic, self.partition, self.offset)


@dataclass
class Ledger:
    """What was acknowledged; ``unacked`` counts sends that the broker refused or did not answer."""

    acked: list[Acked] = field(default_factory=list)
    unacked: int = 0

    def send(self, stream: Stream, records: Iterable[Record], *, partitioner: str = "murmur2_random") -> int:
        """Produce in order and await every answer; returns how many were acknowledged."""
        before = len(self.acked)
        producer = Producer(
            {
                "bootstrap.servers": stream.bootstrap,
                "partitioner": partitioner,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "delivery.timeout.ms": 60_000,
                "queue.buffering.max.messages": 1_000_000,
                "message.max.bytes": 4_000_000,
                "log_level": 0,
            }
        )
        for count, record in enumerate(records, 1):
            producer.produce(stream.topics[record.kind], record.value, record.key, on_delivery=self._entry(record))
            if count % 2_000 == 0:
                producer.poll(0)
        assert producer.flush(90) == 0, "the broker did not answer for all records"
        return len(self.acked) - before

    def _entry(self, record: Record) -> Any:
        def on_delivery(error: Any, message: Any) -> None:
            if error is None:
                self.acked.append(Acked(record, message.topic(), message.partition(), message.offset()))
            else:
                self.unacked += 1

        return on_delivery

    # -- what the entries mean -------------------------------------------------------------------
    def touches(self) -> Iterator[TouchpointEvent]:
        """Valid touchpoints, redeliveries included."""
        yield from (a.record.event for a in self.acked if isinstance(a.record.event, TouchpointEvent))

    def conversions(self) -> Iterator[ConversionWireEvent]:
        """Valid conversions and corrections, redeliveries included."""
        yield from (a.record.event for a in self.acked if isinstance(a.record.event, ConversionWireEvent))

    def spend_keys(self) -> set[tuple[int, str, str, str]]:
        """Keys of ``spend``: of two reports for one key the later one stays."""
        events = (a.record.event for a in self.acked)
        return {(e.spend_day, e.channel, e.campaign or "", e.source or "") for e in events if isinstance(e, SpendEvent)}

    def events_of(self) -> dict[str, set[str]]:
        """Event ids by customer: what each journey must consist of."""
        found: dict[str, set[str]] = defaultdict(set)
        events: list[TouchpointEvent | ConversionWireEvent] = [*self.touches(), *self.conversions()]
        for event in events:
            found[event.customer_id].add(event.event_id)
        return dict(found)

    def malformed(self) -> dict[tuple[str, int, int], tuple[bytes, bytes, str]]:
        """Place to key, value and reason of every record that must become a dead letter."""
        return {
            a.place: (a.record.key or b"", a.record.value or b"", a.record.expected_reason or "")
            for a in self.acked
            if a.record.is_malformed
        }
