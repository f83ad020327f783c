"""Step 1 of an epoch: the records of one partition number as events, what is none as rejections.

Raises ``SchemaSourceUnavailableError`` while the schema registry does not answer; the caller tries the epoch again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from attribution.merging import Handover
from schemas.codec import Codec, RawRecord, Rejected
from schemas.events import ConversionWireEvent, ErasureEvent, IdentityEvent, SpendEvent, TouchpointEvent
from stream_app.handovers import Forget, Notice, UnreadableHandoverError, decode

_ERASED: Final = "the customer asked to be forgotten"


@dataclass(frozen=True, slots=True)
class Source:
    """A source topic and its decoder."""

    topic: str
    codec: Codec


@dataclass(frozen=True, slots=True)
class Sources:
    """What a worker reads. ``handovers_topic`` is internal: workers tell each other about ids of one person."""

    touchpoints: Source
    conversions: Source
    spend: Source
    identities: Source
    erasures: Source
    handovers_topic: str


@dataclass(slots=True)
class Decoded:
    """The events of one partition number, each list in the order of its topic.

    ``records`` are the chunks they come from, by topic.
    """

    records: Mapping[str, Sequence[RawRecord]]
    touchpoints: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    spend: list[SpendEvent] = field(default_factory=list)
    identities: list[IdentityEvent] = field(default_factory=list)
    erasures: list[ErasureEvent] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    forget: list[Forget] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    links_of_erased: list[IdentityEvent] = field(default_factory=list)
    handovers_to_erased: list[Handover] = field(default_factory=list)


class Decoder:
    """Decodes the chunks of one partition number."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def decode(self, records: Mapping[str, Sequence[RawRecord]]) -> Decoded:
        """Every record becomes one event or one rejection."""
        sources, found = self._sources, Decoded(records)
        found.touchpoints = self._events(sources.touchpoints, found)
        found.conversions = self._events(sources.conversions, found)
        found.spend = self._events(sources.spend, found)
        found.identities = self._events(sources.identities, found)
        found.erasures = self._events(sources.erasures, found)
        for record in records.get(sources.handovers_topic, ()):
            self._notice(record, found)
        return found

    @staticmethod
    def _events(source: Source, found: Decoded) -> list[Any]:
        chunk = found.records.get(source.topic)
        if chunk is None:
            return []
        events, rejected = source.codec.decode_batch(chunk)
        found.rejected += rejected
        return events

    @staticmethod
    def _notice(record: RawRecord, found: Decoded) -> None:
        try:
            notice: Notice = decode(record.value or b"")
        except UnreadableHandoverError as error:
            found.rejected.append(Rejected(record, "undecodable", "", str(error)))
            return
        if isinstance(notice, Forget):
            found.forget.append(notice)
        else:
            found.handovers.append(notice)

    def drop_erased(self, found: Decoded, is_erased: Callable[[str], bool]) -> None:
        """Take out what concerns customers who asked to be forgotten; it is counted, and kept nowhere.

        Links and handovers are put aside: they may tell of an id that must be forgotten as well.
        """
        sources = self._sources
        found.touchpoints = _kept(found, sources.touchpoints.topic, found.touchpoints, is_erased)
        found.conversions = _kept(found, sources.conversions.topic, found.conversions, is_erased)
        found.links_of_erased = [e for e in found.identities if is_erased(e.customer_id)]
        found.identities = _kept(found, sources.identities.topic, found.identities, is_erased)
        found.handovers_to_erased = [h for h in found.handovers if is_erased(h.receiver)]
        if found.handovers_to_erased:
            found.handovers = [h for h in found.handovers if not is_erased(h.receiver)]


def _kept(found: Decoded, topic: str, events: list[Any], is_erased: Callable[[str], bool]) -> list[Any]:
    offsets = {e.offset for e in events if is_erased(e.customer_id)}
    if not offsets:
        return events
    records = found.records.get(topic, ())
    found.rejected += [Rejected(r, "erased", "customer_id", _ERASED) for r in records if r.offset in offsets]
    return [e for e in events if e.offset not in offsets]
