"""Step 2 of an epoch: read the journeys of one partition, apply its events, attribute every conversion they touch.

Pure but for reading the state: what it gives is complete before anything becomes durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from attribution.attribute import Attributor
from attribution.config import AttributionConfig
from attribution.fitted import NO_FITS, Timeline
from attribution.identity import Link, resolve_links
from attribution.journey import Journey
from attribution.journey_bytes import append_touches
from attribution.merging import Arrived, apply_linked
from attribution.types import ConversionCredits
from schemas.codec import Rejected
from stream_app.decoding import Decoded, Sources
from stream_app.grouping import Todo, by_customer
from stream_app.handovers import Forget, Notice
from stream_app.late import Refusals, split_excess, split_late
from stream_app.links import beyond_bound, by_id
from stream_app.links import refused as refused_links
from stream_app.suppression import Suppression, pack, state_key, unpack


class ReadableState(Protocol):
    """Journeys of one partition, as the step reads them."""

    @property
    def erased(self) -> dict[bytes, bytes]:
        """Who asked to be forgotten here: digest, and the request as ``suppression`` packs it."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Bytes per customer."""


class State(ReadableState, Protocol):
    """Journeys of one partition: local store and changelog."""

    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        """Changelog first, awaited, then the local store."""


@dataclass(frozen=True, slots=True)
class Erased:
    """A customer whose rows must go."""

    customer_id: str
    digest: bytes
    requested_at_us: int
    policy: str


@dataclass(slots=True)
class PartitionResult:
    """What one epoch amounts to on one partition; ``events`` are those that count, ``duplicates`` changed nothing."""

    events: Decoded
    journeys: dict[bytes, bytes | None] = field(default_factory=dict)
    credits: list[tuple[str, ConversionCredits]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class _Reader:
    """The newest bytes of journeys: of this epoch, else of one that is not stored yet, else of the store."""

    state: ReadableState
    newer: Mapping[bytes, bytes | None]
    changed: Mapping[bytes, bytes | None]

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        raws = self.state.get_many(keys)
        for layer in (self.newer, self.changed):
            if layer:
                raws = [layer.get(key, raw) for key, raw in zip(keys, raws, strict=True)]
        return raws


class JourneyStep:
    """Applies the events of one partition to its journeys."""

    def __init__(
        self,
        config: AttributionConfig,
        sources: Sources,
        suppression: Suppression,
        *,
        timeline: Callable[[], Timeline] = lambda: NO_FITS,
    ) -> None:
        self._config, self._sources, self._suppression = config, sources, suppression
        self._timeline, self._attributor = timeline, Attributor(config)
        self._attribute = self._attributor.attribute

    def is_erased(self, state: ReadableState) -> Callable[[str], bool]:
        """Whether a customer of this partition asked to be forgotten."""
        return lambda customer_id: self._suppression.is_erased(customer_id, state.erased)

    def apply(self, events: Decoded, state: ReadableState, newer: Mapping[bytes, bytes | None]) -> PartitionResult:
        """Journeys changed, credits owed, notices for other ids, rejections of what came too late or is refused.

        Args:
            events: decoded records of one partition number; what does not count is taken out.
            state: its journeys.
            newer: journeys that are computed and not in ``state`` yet.
        """
        self._attributor.timeline = self._timeline()
        result = PartitionResult(events)
        reader = _Reader(state, newer, result.journeys)
        refusals = Refusals()
        todo = by_customer(events.touchpoints, events.conversions)
        if events.identities or events.handovers:
            self._apply_links(self._with_events(events, todo), reader, result, refusals)
        self._apply_events(todo, reader, result, refusals)
        if events.erasures or events.forget:
            self._forget(reader, result)
        if events.links_of_erased or events.handovers_to_erased:
            result.notices += self._older_links(events, state)
        if refusals.late or refusals.excess:
            self._take_out(refusals, result)
        return result

    def _apply_events(self, todo: Todo, reader: _Reader, result: PartitionResult, refusals: Refusals) -> None:
        """Touchpoints and conversions: the hot path. Ids with links go the longer way."""
        keys = [customer.encode() for customer in todo]
        raws = reader.get_many(keys)
        changed, found, config, attribute = result.journeys, result.credits, self._config, self._attribute
        from_bytes, duplicates = Journey.from_bytes, 0
        for key, (customer, (touches, events)), raw in zip(keys, todo.items(), raws, strict=True):
            if not events and (appended := append_touches(raw, touches, config)) is not None:
                changed[key] = appended
                continue
            journey = Journey() if raw is None else from_bytes(raw)
            if journey.links:
                self._merge(customer, journey, Arrived(touches, events), result, refusals)
                continue
            applied = journey.apply(touches, events, config)
            duplicates += len(touches) + len(events) - applied.gained
            for conversion in applied.affected:
                found.append((customer, attribute(journey, conversion)))
            if applied.changed:
                journey.prune(applied.newest_before_us, config)
                changed[key] = journey.to_bytes()
            if applied.late_touches or applied.late_conversions or applied.excess_conversions:
                refusals.add(customer, applied)
                duplicates -= applied.refused
        result.duplicates += max(0, duplicates)  # one id with two contents raises ``rev`` by more than one

    def _with_events(self, events: Decoded, todo: Todo) -> dict[str, Arrived]:
        """Links and handovers, and the events of the same ids out of ``todo``: no journey is read or written twice."""
        records = events.records.get(self._sources.identities.topic, ())
        found = by_id(events.identities, events.handovers, records)
        for customer, arrived in found.items():
            arrived.touches, arrived.events = todo.pop(customer, ([], []))
        return found

    def _apply_links(
        self, todo: Mapping[str, Arrived], reader: _Reader, result: PartitionResult, refusals: Refusals
    ) -> None:
        raws = reader.get_many([customer.encode() for customer in todo])
        for (customer, arrived), raw in zip(todo.items(), raws, strict=True):
            journey = Journey() if raw is None else Journey.from_bytes(raw)
            self._merge(customer, journey, arrived, result, refusals)

    def _merge(
        self, customer: str, journey: Journey, arrived: Arrived, result: PartitionResult, refusals: Refusals
    ) -> None:
        outcome = apply_linked(journey, customer, arrived, self._config)
        result.notices += outcome.handovers
        result.credits += [(customer, self._attribute(journey, c)) for c in outcome.applied.affected]
        if outcome.applied.changed:
            journey.prune(outcome.applied.newest_before_us, self._config)
            result.journeys[customer.encode()] = journey.to_bytes()
        result.rejected += refused_links(outcome, self._config.max_linked_ids)
        if outcome.too_many:
            offsets = beyond_bound(outcome)
            result.events.identities = [e for e in result.events.identities if e.offset not in offsets]
        refusals.add(customer, outcome.applied)

    def _forget(self, reader: _Reader, result: PartitionResult) -> None:
        """Remove journeys, tell the other ids of the person, and remember the digests.

        Credits of one person stand under the surviving id, so only that one is anonymized; what is left of rows under
        former ids goes.
        """
        requests = {n.receiver: (n.requested_at_us, n.policy, n.told) for n in result.events.forget}
        requests |= {e.customer_id: (e.requested_at_us, e.policy, ()) for e in result.events.erasures}
        raws = reader.get_many([customer.encode() for customer in requests])
        for (customer, (at_us, policy, told)), raw in zip(requests.items(), raws, strict=True):
            links: Sequence[Link] = Journey.from_bytes(raw).links if raw is not None else ()
            identities = resolve_links(links)
            survivor, ids = identities.survivor(customer), identities.survivors.keys() | {customer}
            for other in sorted(ids - {customer, *told}):
                how = policy if other == survivor else "delete"
                result.notices.append(Forget(other, at_us, how, tuple(sorted(ids))))
            digest, kept = self._suppression.digest(customer), pack(at_us, policy)
            reader.state.erased[digest] = kept
            result.journeys[customer.encode()] = None
            result.journeys[state_key(digest)] = kept
            own = policy if survivor == customer else "delete"
            result.erased.append(Erased(customer, digest, at_us, own))
        result.credits = [item for item in result.credits if item[0] not in requests]

    def _older_links(self, events: Decoded, state: ReadableState) -> Iterator[Notice]:
        """An erasure that overtook a link: the other id is the person who asked, unless the link is younger."""
        pairs = [(e.customer_id, e.previous_id, e.occurred_at_us) for e in events.links_of_erased]
        pairs += [
            (h.receiver, h.sender, link.at_us)
            for h in events.handovers_to_erased
            for link in h.links
            if h.receiver in {link.previous_id, link.customer_id}
        ]
        for customer, other, at_us in dict.fromkeys(pairs):
            request = state.erased.get(self._suppression.digest(customer))
            if request is not None:
                requested_at_us, policy = unpack(request)
                if at_us <= requested_at_us:
                    yield Forget(other, requested_at_us, policy, (customer,))

    def _take_out(self, refusals: Refusals, result: PartitionResult) -> None:
        """What journeys refused becomes dead letters instead of facts."""
        events, late = result.events, refusals.late
        touches = events.records.get(self._sources.touchpoints.topic, ())
        conversions = events.records.get(self._sources.conversions.topic, ())
        if late:
            events.touchpoints, refused_touches = split_late(events.touchpoints, late, touches)
            events.conversions, refused_conversions = split_late(events.conversions, late, conversions)
            result.rejected += refused_touches + refused_conversions
        if refusals.excess:
            bound = self._config.max_conversions
            events.conversions, refused = split_excess(events.conversions, refusals.excess, conversions, bound)
            result.rejected += refused
