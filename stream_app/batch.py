"""What one epoch amounts to, gathered over its partitions, and how long each stage took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from faust.types import TP

from attribution.types import ConversionCredits
from schemas.codec import Rejected
from schemas.events import ConversionWireEvent, IdentityEvent, SpendEvent, TouchpointEvent
from stream_app.handovers import Notice
from stream_app.journeys import Erased, PartitionResult
from stream_app.traces import Traced
from stream_app.transport import Epoch


class Stages(NamedTuple):
    """Seconds that an epoch took."""

    waited: float
    computed: float
    durable: float
    inserted: float
    committed: float


@dataclass(slots=True)
class Batch:
    """What one epoch amounts to; ``newest_us`` is the newest event time per topic and partition.

    ``traced`` are records that are part of a trace, ``trace_ids`` belong to events by their id.
    ``notices`` go to other workers, ``erased`` are customers whose rows must go, ``notes`` are committed with the
    offsets.
    """

    epoch: Epoch
    journeys: dict[int, dict[bytes, bytes | None]] = field(default_factory=dict)
    credits: list[tuple[str, ConversionCredits]] = field(default_factory=list)
    touchpoints: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    spend: list[SpendEvent] = field(default_factory=list)
    identities: list[IdentityEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    newest_us: dict[tuple[str, int], int] = field(default_factory=dict)
    notes: dict[TP, str] = field(default_factory=dict)
    erasures: int = 0
    duplicates: int = 0
    traced: Traced = field(default_factory=dict)
    trace_ids: dict[str, str] = field(default_factory=dict)

    def add(self, partition: int, result: PartitionResult) -> None:
        """Take over what one partition amounts to."""
        events = result.events
        self.journeys[partition] = result.journeys
        self.credits += result.credits
        self.touchpoints += events.touchpoints
        self.conversions += events.conversions
        self.spend += events.spend
        self.identities += events.identities
        self.notices += result.notices
        self.erased += result.erased
        self.rejected += events.rejected + result.rejected
        self.erasures += len(events.erasures)
        self.duplicates += result.duplicates

    def event_counts(self) -> dict[str, int]:
        """Events that count, by kind."""
        return {
            "touchpoint": len(self.touchpoints),
            "conversion": len(self.conversions),
            "spend": len(self.spend),
            "identity": len(self.identities),
            "erasure": self.erasures,
        }
