"""A customer's journey: the set of events that concern one id, whatever order they arrived in.

The journey is a pure state machine. ``apply`` merges events and answers which conversions must be
written (again); what it answers depends on the events and on the resulting set, never on whether an
event was new, so that a replay after a crash re-emits what it owes. Equal sets have equal credits.

``rev`` counts the events that changed the journey; duplicates leave it as it is. A row with a higher
``rev`` replaces a row with a lower one.

Bounds: the newest ``max_touchpoints`` touches and the first one are kept (``truncated`` records that
some were dropped); touches that no conversion may look back at any more, and conversions past their
retention, are pruned. A conversion or correction is refused while ``max_conversions`` others are
there that are not older than the retention before it; once taken it stays, so no row is ever left over.
What ids of one person hand over was taken there and is taken here. All times are microseconds since the epoch.

How the journeys of ids of one person find together: ``attribution.merging``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from attribution import journey_bytes
from attribution.config import AttributionConfig
from attribution.conversions import linked_keys, resolve, retained
from attribution.identity import Link
from attribution.types import Conversion, ConversionEvent, Touch

#: Conversion types that anchor the W-shaped and full-path models of later conversions.
MILESTONES: Final = frozenset({"lead_created", "opportunity_created"})

_NEVER: Final = 1 << 62


@dataclass(slots=True)
class Applied:
    """What ``Journey.apply`` found: conversions to write, and events that do not count: too late, or beyond the bound.

    ``gained``: by how much ``rev`` rose. ``newest_before_us`` is the time of the journey's newest event before, or
    of an older event that the bound refused.
    """

    affected: list[Conversion] = field(default_factory=list)
    late_touches: list[Touch] = field(default_factory=list)
    late_conversions: list[ConversionEvent] = field(default_factory=list)
    excess_conversions: list[ConversionEvent] = field(default_factory=list)
    changed: bool = False
    gained: int = 0
    newest_before_us: int = 0

    @property
    def refused(self) -> int:
        """How many events do not count."""
        return len(self.late_touches) + len(self.late_conversions) + len(self.excess_conversions)


class Journey:
    """The events of one customer: ``touches`` and ``events``, each sorted by ``(at_us, event_id)``.

    ``contradicted``: one touch id came with two contents, so that rows may stand on one that is gone.
    ``links``, sorted, say which ids are this person; ``absorbed`` holds the highest count of changes seen of each of
    them, and ``origins`` the records of those links that were sent to this id.
    """

    __slots__ = ("_resolved", "absorbed", "contradicted", "events", "links", "origins", "rev", "touches", "truncated")

    def __init__(self, parts: journey_bytes.Parts | None = None) -> None:
        parts = parts or journey_bytes.Parts()
        self.rev, self.truncated, self.contradicted = parts.rev, parts.truncated, parts.contradicted
        self.touches, self.events = parts.touches, parts.events
        self.links, self.absorbed, self.origins = parts.links, parts.absorbed, parts.origins
        self._resolved: list[Conversion] | None = None

    @classmethod
    def from_bytes(cls, raw: bytes) -> Journey:
        """Read what ``to_bytes`` wrote.

        Raises:
            UnknownJourneyFormatError: the first byte names a format that this program does not read.
        """
        return cls(journey_bytes.from_bytes(raw))

    def to_bytes(self) -> bytes:
        """Bytes of this journey; equal journeys have equal bytes."""
        parts = journey_bytes.Parts(
            self.rev,
            self.truncated,
            self.touches,
            self.events,
            self.contradicted,
            self.links,
            self.absorbed,
            self.origins,
        )
        return journey_bytes.to_bytes(parts)

    @property
    def newest_us(self) -> int:
        """Time of the newest event; 0 for an empty journey."""
        newest = self.touches[-1][0] if self.touches else 0
        return max(newest, self.events[-1].at_us) if self.events else newest

    def conversions(self) -> list[Conversion]:
        """Every conversion with its corrections applied, sorted by ``Conversion.order``."""
        if self._resolved is None:
            self._resolved = resolve(self.events)
        return self._resolved

    def apply(self, touches: Sequence[Touch], events: Sequence[ConversionEvent], config: AttributionConfig) -> Applied:
        """Merge events of this customer, in any order, duplicates welcome.

        Args:
            touches: touches as they arrived.
            events: conversions and corrections as they arrived.
            config: windows and bounds.

        Returns:
            the conversions to write: all whose credits these events can have changed.
        """
        newest_us = self.newest_us
        before = self.rev
        applied = Applied(newest_before_us=newest_us)
        dropped_from_us = -_NEVER
        if touches:
            touches = self._split_late_touches(touches, newest_us - config.horizon_us, applied)
            dropped_from_us = self._merge_touches(touches, config)
        if events:
            events = self._split_late_events(events, newest_us, config, applied)
            if len(self.events) + len(events) > config.max_conversions:
                events = self._split_excess(events, config, applied)
            self._merge_events(events)
        self._cap(config)
        applied.gained = self.rev - before
        applied.changed = applied.gained != 0
        if self.events and (touches or events):
            applied.affected = self._affected(touches, events, dropped_from_us, config)
        return applied

    def learn(self, links: Iterable[Link]) -> bool:
        """Add links; answers whether one was new."""
        known = set(self.links)
        new = set(links) - known
        if new:
            self.links = sorted(known | new)
            self.rev += len(new)
        return bool(new)

    def absorb(
        self,
        customer_id: str,
        revs: Iterable[tuple[str, int]],
        touches: Sequence[Touch],
        events: Sequence[ConversionEvent],
        config: AttributionConfig,
    ) -> None:
        """Merge what another id of the same person holds: it was in time there, so nothing is late here.

        ``revs`` are counts of changes by id: those of others are added to this journey's ``rev``, which so rises above
        every ``rev`` that they ever wrote rows with.
        """
        self._merge_touches(touches, config)
        self._merge_events(events)
        self._cap(config)
        for name, count in revs:
            more = count - self.absorbed.get(name, 0)
            if name != customer_id and more > 0:
                self.absorbed[name] = count
                self.rev += more

    def revs(self, customer_id: str) -> tuple[tuple[str, int], ...]:
        """The highest count of changes known of each id of this person; they add up to ``rev``."""
        return ((customer_id, self.rev - sum(self.absorbed.values())), *sorted(self.absorbed.items()))

    def _split_late_touches(self, touches: Sequence[Touch], oldest_us: int, applied: Applied) -> Sequence[Touch]:
        if min(touches)[0] >= oldest_us:
            return touches
        known = {t[1] for t in self.touches}
        applied.late_touches = [t for t in touches if t[0] < oldest_us and t[1] not in known]
        return [t for t in touches if t[0] >= oldest_us or t[1] in known]

    def _split_late_events(
        self, events: Sequence[ConversionEvent], newest_us: int, config: AttributionConfig, applied: Applied
    ) -> Sequence[ConversionEvent]:
        """A conversion may be as late as ``allowed_lateness``, a correction as ``conversion_retention``."""
        known = {e.event_id for e in self.events}
        oldest, oldest_correction = newest_us - config.allowed_lateness_us, newest_us - config.conversion_retention_us
        kept = []
        for event in events:
            limit = oldest_correction if event.adjusts or event.status != "completed" else oldest
            if event.at_us < limit and event.event_id not in known:
                applied.late_conversions.append(event)
            else:
                kept.append(event)
        return kept

    def _split_excess(
        self, events: Sequence[ConversionEvent], config: AttributionConfig, applied: Applied
    ) -> Sequence[ConversionEvent]:
        """In order of arrival: what is known is no more than was there; the others are taken while there is room.

        What left no room is not pruned along with it, so that a replay after a crash refuses the same.
        """
        known = {e[:-1] for e in self.events}
        times = [e.at_us for e in self.events]
        kept = []
        for event in events:
            if event[:-1] not in known:
                counting = len(times) - bisect_left(times, event.at_us - config.conversion_retention_us)
                if counting >= config.max_conversions:
                    applied.excess_conversions.append(event)
                    applied.newest_before_us = min(applied.newest_before_us, event.at_us)
                    continue
                known.add(event[:-1])
                insort(times, event.at_us)
            kept.append(event)
        return kept

    def _merge_touches(self, touches: Sequence[Touch], config: AttributionConfig) -> int:
        """What the cap would drop at once is not taken: a replay of it must not raise ``rev``.

        Returns:
            the time from which on there may be touches that the cap drops now, or dropped when some of these came for
            the first time.
        """
        mine = self.touches
        dropped_from_us = mine[1][0] if self.truncated and len(mine) > 1 else -_NEVER
        known = {t[1]: t for t in mine}
        is_full = self.truncated and len(mine) > config.max_touchpoints
        low, high = (mine[0], mine[1]) if is_full else (None, None)
        added, has_replaced = [], False
        for touch in touches:
            if low is not None and high is not None and low < touch < high:
                continue
            old = known.get(touch[1])
            if old is None:
                known[touch[1]] = touch
                added.append(touch)
                self.rev += 1
                low = min(low, touch) if low is not None else None
            elif old != touch:
                has_replaced |= self._keep_smaller(known, old, touch)
        if has_replaced:
            self.touches = sorted(known.values())
        elif added:
            mine += added
            mine.sort()  # two runs at most where touches come in order: a merge
        if dropped_from_us > -_NEVER and len(added) != len({t[1] for t in touches}):
            return -_NEVER
        return dropped_from_us

    def _keep_smaller(self, known: dict[str, Touch], old: Touch, touch: Touch) -> bool:
        """One id with two contents: the smaller one stays, whichever came first."""
        is_smaller = touch < old
        if is_smaller:
            known[touch[1]] = touch
            self.rev += 1
        if not self.contradicted:
            self.contradicted = True
            self.rev += 1
        return is_smaller

    def _merge_events(self, events: Iterable[ConversionEvent]) -> None:
        """Keep every version of an event; of one version sent twice the later time of sending."""
        mine = self.events
        known = {e[:-1]: e for e in mine}
        before, has_replaced = len(mine), False
        for event in events:
            old = known.get(event[:-1])
            if old is not None and old.sent_at_us >= event.sent_at_us:
                continue
            has_replaced |= old is not None
            if old is None:
                mine.append(event)
            known[event[:-1]] = event
            self.rev += 1
            self._resolved = None
        if has_replaced:
            self.events = sorted(known.values())
        elif len(mine) > before:
            mine.sort()

    def _cap(self, config: AttributionConfig) -> None:
        touches = self.touches
        if len(touches) > config.max_touchpoints + 1:
            del touches[1 : len(touches) - config.max_touchpoints]
            self.truncated = True

    def prune(self, newest_us: int, config: AttributionConfig) -> None:
        """Forget what nothing may look back at any more. Call it when the conversions of ``apply`` are attributed.

        Args:
            newest_us: ``Applied.newest_before_us``. Events that came together do not prune one another: a replay
                after a crash finds them again.
            config: windows and bounds.
        """
        touches, events = self.touches, self.events
        if events and events[0].at_us < newest_us - config.conversion_retention_us:
            self.events = retained(events, newest_us - config.conversion_retention_us)
            self._resolved = None
        if touches and touches[0][0] < newest_us - config.horizon_us:
            oldest = newest_us - config.horizon_us
            if self.events:
                oldest = min(oldest, self.events[0].at_us - config.lookback_us)
            if touches[0][0] < oldest:
                self.touches = [t for t in touches if t[0] >= oldest]

    def _affected(
        self,
        touches: Sequence[Touch],
        events: Sequence[ConversionEvent],
        dropped_from_us: int,
        config: AttributionConfig,
    ) -> list[Conversion]:
        """Conversions whose credits these events can have changed (a few more do no harm, one less does)."""
        conversions = self.conversions()
        if self.contradicted:
            return list(conversions)
        low, high = 1, 0
        if touches:
            low, high = min(touches)[0], max(touches)[0] + config.lookback_us
            if self.truncated and len(self.touches) > 1:
                low, high = min(low, dropped_from_us), max(high, self.touches[1][0] + config.lookback_us)
        keys = linked_keys(events, self.events) if events else frozenset()
        since = min([_dependent_since(c, config) for c in conversions if c.conversion_id in keys], default=_NEVER)
        return [c for c in conversions if low <= c.at_us <= high or c.conversion_id in keys or c.at_us >= since]


def _dependent_since(conversion: Conversion, config: AttributionConfig) -> int:
    """From when on other conversions depend on this one: milestones anchor them, resets cut their journeys."""
    kind = conversion.conversion_type
    if kind in MILESTONES or kind in config.reset_on_conversion:
        return min((conversion.at_us, *conversion.former_at_us))
    return _NEVER
