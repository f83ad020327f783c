"""How the journeys of the ids of one person find together, with each id's journey held by a worker of its own.

Every id keeps the links it has heard of. Whoever learns a new one tells all ids of the person (``Handover`` without
events), so that soon all know the same links and, by ``resolve_links``, agree on the survivor. Whenever an id that does
not survive learns a link, it hands its whole set of events to the survivor; from then on it hands over what arrives and
writes nothing itself. The survivor merges the sets and writes rows with a ``rev`` above all that the others ever used:
each id counts its own changes, the counts travel along, and ``rev`` is the sum of the highest seen of each id.

A handover may come twice, late, or to an id that no longer thinks it survives: sets only grow, so nothing is undone,
and an id that learns more links hands its set over again. The caller must deliver handovers before the journey that
gave them is stored: what is stored is known to have been told. A survivor answers a link or handover with *all* its
conversions, new or not, so that a replay after a crash writes what it owes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from attribution.config import AttributionConfig
from attribution.identity import Identities, Link, resolve_links
from attribution.journey import Applied, Journey
from attribution.types import ConversionEvent, Touch

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Handover:
    """What one id's journey tells another's: all links it knows and, to the survivor, events.

    ``revs``: the highest count of changes that the sender knows of each id, its own included.
    """

    sender: str
    receiver: str
    revs: tuple[tuple[str, int], ...]
    links: tuple[Link, ...]
    touches: tuple[Touch, ...] = ()
    events: tuple[ConversionEvent, ...] = ()
    truncated: bool = False


@dataclass(slots=True)
class Arrived:
    """What arrived for one id: ``links`` sent to it with their records (opaque here), handovers, events."""

    touches: list[Touch] = field(default_factory=list)
    events: list[ConversionEvent] = field(default_factory=list)
    links: list[tuple[Link, bytes]] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """``applied`` as of ``Journey.apply``; handovers to deliver; records of links of this id that are refused now.

    ``too_many`` are the links that were not taken because the person would have had more ids than allowed.
    """

    applied: Applied
    handovers: list[Handover] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)
    too_many: list[bytes] = field(default_factory=list)


def apply_linked(journey: Journey, customer_id: str, arrived: Arrived, config: AttributionConfig) -> Outcome:
    """Merge everything that arrived for an id; see ``Journey.apply`` for events alone."""
    before, refused_before = journey.rev, _refused_here(journey, resolve_links(journey.links))
    too_many, grew = _learn(journey, arrived, config)
    applied = journey.apply(arrived.touches, arrived.events, config)  # first: what others bring makes nothing late
    for handover in arrived.handovers:
        journey.absorb(customer_id, handover.revs, handover.touches, handover.events, config)
        if handover.truncated and not journey.truncated:
            journey.truncated = True
            journey.rev += 1
    applied.changed = journey.rev != before
    identities = resolve_links(journey.links)
    outcome = Outcome(applied, too_many=too_many)
    sent_now = {link for link, _ in arrived.links}
    refused = _refused_here(journey, identities)
    outcome.refused = [journey.origins[link] for link in refused if link not in refused_before or link in sent_now]
    if identities.survivor(customer_id) == customer_id:
        if arrived.links or arrived.handovers:
            applied.affected = list(journey.conversions())
    else:
        applied.affected = []
    outcome.handovers = list(_handovers(journey, customer_id, identities, arrived, applied, grew=grew))
    return outcome


def _refused_here(journey: Journey, identities: Identities) -> list[Link]:
    return [link for link in identities.refused if link in journey.origins]


def _learn(journey: Journey, arrived: Arrived, config: AttributionConfig) -> tuple[list[bytes], bool]:
    """Take links over; answers the records of those sent to this id beyond the bound, and whether any was new."""
    grew = False
    for handover in arrived.handovers:
        if _fits(journey, handover.links, config):
            grew |= journey.learn(handover.links)
    too_many = []
    for link, record in arrived.links:
        if link not in journey.origins:
            if not _fits(journey, [link], config):
                too_many.append(record)
                continue
            journey.origins[link] = record
            journey.rev += 1
        grew |= journey.learn([link])
    return too_many, grew


def _fits(journey: Journey, links: Sequence[Link], config: AttributionConfig) -> bool:
    """Whether the person stays within the bound. Who is told more keeps apart: events are taken, links are not."""
    ids = {name for known in (*journey.links, *links) for name in (known.previous_id, known.customer_id)}
    return len(ids) <= config.max_linked_ids or set(links) <= set(journey.links)


def _handovers(
    journey: Journey, customer_id: str, identities: Identities, arrived: Arrived, applied: Applied, *, grew: bool
) -> Iterator[Handover]:
    survivor, links, revs = identities.survivor(customer_id), tuple(journey.links), journey.revs(customer_id)
    if survivor != customer_id:
        if grew:
            yield Handover(
                customer_id,
                survivor,
                revs,
                links,
                tuple(journey.touches),
                tuple(journey.events),
                journey.truncated,
            )
        else:
            touches = tuple(_without(arrived.touches, applied.late_touches))
            events = tuple(_without(arrived.events, (*applied.late_conversions, *applied.excess_conversions)))
            if touches or events:
                yield Handover(customer_id, survivor, revs, links, touches, events, journey.truncated)
    if grew:
        for other in identities.survivors:
            if other not in {customer_id, survivor}:
                yield Handover(customer_id, other, revs, links)


def _without(items: Iterable[_T], late: Sequence[_T]) -> Iterator[_T]:
    gone = set(late)
    return (item for item in items if item not in gone)
